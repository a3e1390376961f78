import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type Http2Stream, isHttp2, streamOf } from '../internals/internals.ts'
import type { Capture } from './capture.ts'
import { facade } from './facade.ts'
import { abandon } from './finish.ts'

/**
 * An error that comes after the first byte is answered, by Express and others, by destroying the
 * connection. By then the bytes of a bare response have left; those held back here have not, so the
 * connection waits for them: a handler that fails after it answered harms nobody's response. Where it
 * fails between `write()` and `end()`, nobody will finish the response, and this is the only sign of it.
 * The same for a handler that ends the connection itself once it has answered.
 */
export function holdConnection(capture: Capture): void {
  const { res } = capture
  if (isHttp2(res)) holdStream(capture, streamOf(res))
  else if (res.socket) holdSocket(capture, res.socket)
  else if (res.req?.socket) holdQueued(capture, res.req)
}

function holdSocket(capture: Capture, socket: Socket): void {
  const { destroy, end } = socket
  let asked: (() => void) | undefined

  socket.destroy = (error) => {
    // Node gives an error, or has ended the socket, when it was the client who hung up.
    const hungUp = error !== undefined || (socket.writableEnded && !socket.destroyed)
    if (hungUp || !isUnderWay(capture)) return destroy.call(socket, error)
    asked = () => socket.destroySoon()
    if (!capture.ended) abandon(capture)
    return socket
  }

  socket.end = (...given: unknown[]) => {
    // Node does it, too, when the client has ended its half.
    if (socket.readableEnded || !isUnderWay(capture)) return end.apply(socket, given as never)
    asked ??= () => end.apply(socket, given as never)
    return socket
  }

  capture.releaseConnection = () => {
    socket.destroy = destroy
    socket.end = end
    asked?.()
  }
}

/**
 * The client sent another request before this one's response (HTTP/1.1 pipelining), and the response
 * before it has the connection. What is destroyed in anger is the request's socket, so for as long
 * as it waits for its turn this request has one of its own.
 */
function holdQueued(capture: Capture, req: IncomingMessage): void {
  const { res } = capture
  const { socket } = req
  const destroy = (error?: Error): Socket => {
    if (!capture.begun) return socket.destroy(error)
    // Answered: what is before it leaves, then it does, then the connection ends.
    if (capture.ended || capture.phase === 'over') res.once('finish', () => socket.destroySoon())
    else abandon(capture, error)
    return socket
  }
  const own = facade(socket, { destroy })
  const release = (): void => {
    if (req.socket === own) req.socket = socket
  }
  req.socket = own
  capture.releaseConnection = () => {
    if (!capture.begun) release()
  }
  res.once('socket', (turn: Socket) => {
    release()
    if (capture.phase !== 'over') holdSocket(capture, turn)
  })
}

/**
 * HTTP/2: what `res.socket.destroy` destroys is the stream, and the connection stays. A handler may
 * also close the stream, with a code for the client; a client that hangs up does not pass here.
 */
function holdStream(capture: Capture, stream: Http2Stream): void {
  const { destroy, close } = stream
  let asked: (() => unknown) | undefined

  stream.destroy = (error) => {
    const hungUp = error !== undefined || stream.closed || stream.session?.destroyed !== false
    if (hungUp || !isUnderWay(capture)) return destroy.call(stream, error)
    asked ??= () => !stream.writableEnded && stream.destroy()
    if (!capture.ended) abandon(capture)
    return stream
  }

  stream.close = (...given) => {
    if (stream.closed || !isUnderWay(capture)) return close.apply(stream, given)
    asked ??= () => stream.close(...given)
    if (!capture.ended) abandon(capture)
  }

  capture.releaseConnection = () => {
    stream.destroy = destroy
    stream.close = close
    asked?.()
  }
}

/** Between the first byte and the verdict. */
function isUnderWay({ phase }: Capture): boolean {
  return phase === 'frozen' || phase === 'finishing'
}
