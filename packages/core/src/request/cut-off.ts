import type { EngineRequest } from './engine-request.ts'

/**
 * Throws if the request was cut off, or may have been. To be called before the app's `fingerprint`
 * is, which would get a part of the body as if it were the whole, and again before the claim,
 * because the function may have waited before it read.
 */
export function refusePart({ arrived }: EngineRequest): void {
  if (arrived !== undefined && arrived() !== 'whole') throw requestAborted()
}

/** The error that body parsers produce, so that the app's error handling recognises it. */
export function requestAborted(): Error {
  return Object.assign(new Error('request aborted'), {
    code: 'ECONNABORTED',
    type: 'request.aborted',
    status: 400,
    statusCode: 400,
    expose: true,
  })
}
