import type { IncomingMessage } from 'node:http'

/**
 * Throws if the client has reset the stream of an HTTP/2 request, or lost its connection. Node then
 * ends the body as if it were whole, so that whoever reads it takes the part that came for all of
 * it: if that were claimed, the retry with the whole body would be refused as another request. Call
 * it between the end of the body and the claim.
 */
export function refuseCutOff(req: IncomingMessage): void {
  if (req.httpVersionMajor >= 2 && req.aborted) throw brokenOff()
}

/** The error that body parsers produce, so that the app's error handling recognises it. */
export function brokenOff(): Error {
  return Object.assign(new Error('request aborted'), {
    code: 'ECONNABORTED',
    type: 'request.aborted',
    status: 400,
    statusCode: 400,
    expose: true,
  })
}
