import { OncekeyError } from './errors.ts'
import type { RequestBody } from './fingerprint.ts'

/** What a signature can be checked by, beside the body. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as the client sent them. */
  readonly target: string
  /** Every line of a header, by its lower-case name. */
  header(name: string): readonly string[]
}

/**
 * Checks that a request comes from who may send it, by the bytes that came. Throws `not-authentic`
 * if not, which is answered 401; what else it throws goes to the app's own error handling.
 */
export type Authenticate = (request: SignedRequest, rawBody: Uint8Array) => void | Promise<void>

/** The bytes that a signature was made over. Throws `body-unseen` where only a parsed body is left of them. */
export function signedBytes(body: RequestBody): Uint8Array {
  if (body.kind === 'none') return new Uint8Array()
  if (body.kind === 'bytes') return body.bytes
  throw new OncekeyError(
    'body-unseen',
    'authenticate() needs the bytes that came. In Express mount express.raw({ type: () => true }), or express.json({ verify: keepRawBody }); and leave `fingerprint` out.',
  )
}
