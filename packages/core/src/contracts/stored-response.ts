/**
 * One change that a handler made to the response's headers: a line that it set or, with `null`, a
 * header that was set before the handler and that the handler removed. A header with several values
 * is several changes. Values are bytes, one character each, as in Node and fetch. An `added` line
 * goes beside lines of that name that are already set; only Oncekey makes it, for a body that it
 * decoded.
 */
export type HeaderChange = readonly [name: string, value: string | null, how?: 'added']

/** A response as plain data: from a handler, a replay or a problem. */
export interface PlainResponse {
  readonly status: number
  readonly headers: readonly HeaderChange[]
  /** The bytes as they are sent, in the coding that `Content-Encoding` names. */
  readonly body: Uint8Array
  /**
   * The reason phrase, where it differs from the status's standard one and the protocol has one
   * (HTTP/1.1).
   */
  readonly reason?: string
}

/** A response as a store keeps it. Opaque to the store, which returns it byte for byte. */
export interface StoredResponse {
  readonly status: number
  readonly headers: readonly HeaderChange[]
  /**
   * `null`: the request is done, but its body was not kept (streamed, or over `maxResponseBytes`).
   */
  readonly body: Uint8Array | null
  /** The id of the key that headers and body are sealed with; `null` when they are in the clear. */
  readonly seal: string | null
}
