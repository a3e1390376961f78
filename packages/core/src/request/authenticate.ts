import { OncekeyError } from '../errors/errors.ts'
import type { RequestBody } from './fingerprint.ts'

/** The parts of a request that a signature can be checked against, beside the body. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as the client sent them. */
  readonly target: string
  /** Every line of a header, by its lower-case name. */
  header(name: string): readonly string[]
}

/**
 * Checks who sent a request, by the bytes that were received. Throws `not-authentic` to refuse,
 * which is answered with 401; any other error goes to the app's own error handling.
 */
export type Authenticate = (request: SignedRequest, rawBody: Uint8Array) => void | Promise<void>

/**
 * The bytes that a signature covers. Throws `body-unseen` where the adapter has only the parsed
 * body.
 */
export function signedBytes(body: RequestBody): Uint8Array {
  if (body.kind === 'none') return new Uint8Array()
  if (body.kind === 'bytes') return body.bytes
  throw new OncekeyError(
    'body-unseen',
    'authenticate() and key() need the bytes that came. In Express mount express.raw({ type: () => true }), or express.json({ verify: keepRawBody }).',
  )
}
