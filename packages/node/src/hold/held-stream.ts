import type { OutgoingHttpHeaders } from 'node:http'
import type { Http2Stream } from '../internals/internals.ts'
import type { Capture } from './capture.ts'

/**
 * Captures what a handler sends on the HTTP/2 stream below its response (`res.stream.respond()`),
 * as if it had written to the response. Node's own response uses these methods too, once it is no
 * longer held.
 */
export function holdStreamSends(capture: Capture, stream: Http2Stream): void {
  const { res } = capture
  const { respond, write, end } = stream
  let isResponding = false
  const isOver = (): boolean => capture.phase === 'over'
  // Node also ends a stream that is closed, and its own errors are for bytes before `respond`.
  const isNodes = (): boolean => isOver() || !isResponding || stream.closed

  stream.respond = (headers = {}, options = {}) => {
    if (isOver()) return respond.call(stream, headers, options)
    const { ':status': status = 200, ...rest } = headers
    isResponding = true
    res.writeHead(Number(status), rest as OutgoingHttpHeaders)
    if (options.endStream === true) res.end()
  }
  stream.write = (...given) =>
    isNodes() ? write.apply(stream, given) : res.write(...(given as [string]))
  stream.end = (...given) => {
    if (isNodes()) return end.apply(stream, given)
    res.end(...(given as [string]))
    return stream
  }
  for (const name of ['respondWithFD', 'respondWithFile'] as const) {
    const send = stream[name]
    stream[name] = (...given) => {
      if (isOver()) return send.apply(stream, given)
      throw new TypeError(
        `${name}() sends what no record has. Pipe the file into the response, or cover the route with response: 'stream'.`,
      )
    }
  }
}
