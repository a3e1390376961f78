import type { IncomingMessage } from 'node:http'
import { requestAborted } from '@oncekey/core'

/**
 * Throws if the client has reset the stream of an HTTP/2 request, or lost its connection. Node then
 * ends the body as if it were whole, so that whoever reads it takes the part that came for all of
 * it: if that were claimed, the retry with the whole body would be refused as another request. Call
 * it between the end of the body and the claim.
 */
export function refuseCutOff(req: IncomingMessage): void {
  if (arrivedOf(req) === 'unknown') throw requestAborted()
}

/**
 * How much of a request has come. Over HTTP/1.1 Node knows. Over HTTP/2 it does not, once the
 * client has reset the stream or lost its connection.
 */
export function arrivedOf(req: IncomingMessage): 'whole' | 'part' | 'unknown' {
  if (req.httpVersionMajor >= 2) return req.aborted ? 'unknown' : 'whole'
  // Mocks lack `complete`.
  return req.destroyed && req.complete === false ? 'part' : 'whole'
}
