import { warnOnce } from '@oncekey/core'
import type { Http2Stream } from '../internals/internals.ts'
import { isWithoutBody } from '../response/without-body.ts'
import type { Capture } from './capture.ts'
import { abandon } from './finish.ts'

/**
 * Holds back what a handler writes to the stream of its HTTP/2 response: the stream's methods pass
 * it to the held response. A file that is sent by name or descriptor bypasses these methods, so its
 * run is undone. Returns a function that gives the stream its own methods back.
 */
export function holdStreamWrites(capture: Capture, stream: Http2Stream): () => void {
  const { res } = capture
  const { respond, respondWithFile, respondWithFD, write, end } = stream

  stream.respond = (headers = {}, { endStream = false } = {}) => {
    const { ':status': status = 200, ...fields } = headers
    res.writeHead(Number(status), fields)
    if (endStream || isWithoutBody(res, Number(status))) res.end()
  }
  stream.write = (...given) => res.write(...(given as [string]))
  stream.end = (...given) => {
    // Node ends a stream that is being closed.
    if (stream.closed) return end.apply(stream, given)
    res.end(...(given as [string]))
    return stream
  }
  stream.respondWithFile = refuse
  stream.respondWithFD = refuse
  const haveLeft = (): boolean =>
    Reflect.get(Object.getPrototypeOf(stream) as object, 'headersSent', stream)
  Object.defineProperty(stream, 'headersSent', {
    configurable: true,
    get: () => capture.begun || haveLeft(),
  })
  const piped = (source: unknown): unknown => res.emit('pipe', source)
  const unpiped = (source: unknown): unknown => res.emit('unpipe', source)
  stream.on('pipe', piped)
  stream.on('unpipe', unpiped)

  function refuse(): void {
    warnOnce('file-unheld', FILE_UNHELD)
    abandon(capture, new Error(FILE_UNHELD))
  }

  return () => {
    Object.assign(stream, { respond, respondWithFile, respondWithFD, write, end })
    Reflect.deleteProperty(stream, 'headersSent')
    stream.off('pipe', piped)
    stream.off('unpipe', unpiped)
  }
}

const FILE_UNHELD =
  'respondWithFile() and respondWithFD() cannot be held back, so the request was undone. Pipe the file to the response: createReadStream(path).pipe(res).'
