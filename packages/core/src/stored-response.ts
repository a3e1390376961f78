/**
 * One change a handler made to the response's headers: a line it set, or, with `null`, a header set
 * before it that it removed. A header with several values is several changes. Values are bytes, a
 * character each, as Node and fetch have them. An `added` line goes beside those that are set
 * already; it is Oncekey's own, for a body that it decoded.
 */
export type HeaderChange = readonly [name: string, value: string | null, how?: 'added']

/** A response as plain data: as a handler made it, as a replay, or as a problem. */
export interface PlainResponse {
  readonly status: number
  readonly headers: readonly HeaderChange[]
  /** The bytes as they leave: coded, where a `Content-Encoding` says so. */
  readonly body: Uint8Array
  /** The reason phrase, where it is not the status's own and the protocol has one (HTTP/1.1). */
  readonly reason?: string
}

/** A response as a store keeps it. Opaque to the store: it returns what it was given, byte for byte. */
export interface StoredResponse {
  readonly status: number
  readonly headers: readonly HeaderChange[]
  /** `null`: done, but the body was not kept (streamed, or larger than `maxResponseBytes`). */
  readonly body: Uint8Array | null
  /** The id of the key that headers and body are sealed with; `null` when they are in the clear. */
  readonly seal: string | null
}
