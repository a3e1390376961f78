import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type Http2Stream, isHttp2, streamOf } from '../internals/internals.ts'
import type { Capture } from './capture.ts'
import { facade } from './facade.ts'
import { abandon } from './finish.ts'
import { holdStreamWrites } from './held-stream.ts'

/**
 * Holds back the end of a connection. Express and other frameworks destroy the connection when an
 * error occurs after the first byte. Without us that response has left by then, but a held one has
 * not, so destroying waits until it has. That way a handler that fails after it responded, or that
 * ends the connection itself, costs nobody a response. If the handler fails between `write()` and
 * `end()`, nobody will finish the response, and the call of `destroy` is the only sign of it.
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
    // If the client hung up, Node passes an error or has already ended the socket.
    const hungUp = error !== undefined || (socket.writableEnded && !socket.destroyed)
    if (hungUp || !isUnderWay(capture)) return destroy.call(socket, error)
    asked = () => socket.destroySoon()
    if (!capture.ended) abandon(capture)
    return socket
  }

  socket.end = (...given: unknown[]) => {
    // Node also calls this when the client has ended its half.
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
 * Handles HTTP/1.1 pipelining: the client sent this request before the previous response, which
 * still owns the connection. Frameworks destroy the request's socket on errors, so while this
 * request waits for its turn it gets a socket object of its own.
 */
function holdQueued(capture: Capture, req: IncomingMessage): void {
  const { res } = capture
  const { socket } = req
  const destroy = (error?: Error): Socket => {
    if (!capture.begun) return socket.destroy(error)
    // The handler has responded, so earlier responses leave, then this one, and then the connection
    // ends.
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
 * Over HTTP/2, `res.socket.destroy` destroys only the stream. A handler may also close the stream
 * with a code for the client. A client that hangs up does not come through here.
 */
function holdStream(capture: Capture, stream: Http2Stream): void {
  const { destroy, close } = stream
  let asked: (() => unknown) | undefined
  capture.releaseSends = holdStreamWrites(capture, stream)

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

/** Between the first byte and the outcome of the run. */
function isUnderWay({ phase }: Capture): boolean {
  return phase === 'frozen' || phase === 'finishing'
}
