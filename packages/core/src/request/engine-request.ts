import type { FingerprintInput, RequestBody } from './fingerprint.ts'

/** A request as an adapter passes it on, before any router rewrote it. */
export interface EngineRequest {
  readonly method: string
  /** Path and query as the client sent them. */
  readonly target: string
  /** Every line of a header, by its lower-case name. */
  header(name: string): readonly string[]
  /** Who the key belongs to; a promise where the app's `scope` function is async. */
  readonly scope: string | Promise<string>
  /** The framework's request, which options that are functions are called with. */
  readonly native?: unknown
  /**
   * The route's pattern, `/orders/:id`, once the router knows it. Called only when a message is
   * published.
   */
  route?(): string | undefined
  /**
   * Returns the parts of the request that the fingerprint covers. Called only if the request has a
   * key. What it returns depends on the request alone, never on a limit or on what was kept of the
   * body, because a retry may reach a server with other options. Throws if something is wrong with
   * the body.
   */
  fingerprintInput(): FingerprintInput | Promise<FingerprintInput>
  /**
   * Returns the body as received, for `authenticate` and `key`. Needed where `fingerprintInput`
   * returns something in its place: what the app chose, or a digest. @default the body of
   * `fingerprintInput`
   */
  rawBody?(): RequestBody | Promise<RequestBody>
  /**
   * How much of the request has come by now: `part` if the connection was lost before its end,
   * `unknown` if the client has gone and nobody can tell. Needed where the app chooses what counts
   * of the body. The engine asks before `fingerprintInput` and before the claim: only a `whole` is
   * claimed, anything else throws `ECONNABORTED`. And it asks when the handler has refused the
   * request: a refusal of a part is not kept. `unknown` is then treated as `part` in transaction
   * mode, and as `whole` in lease mode. @default `whole`
   */
  readonly arrived?: (() => 'whole' | 'part' | 'unknown') | undefined
  /** Aborted when the client disconnects. Ends waiting, never a handler. */
  readonly signal?: AbortSignal | undefined
}
