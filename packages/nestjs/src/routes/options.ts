import type { EngineOptions, Scope } from '@oncekey/core'

/**
 * The engine's options, and those that are about a request: Express's or Fastify's, whichever Nest
 * runs on.
 */
// biome-ignore lint/suspicious/noExplicitAny: the request is the platform's, with what guards put on it
export interface IdempotencyOptions<Tx = unknown, Req = any> extends EngineOptions<Tx, Req> {
  /** Who a key belongs to: `(request) => request.user.id`. Every guard has run by then. */
  readonly scope: Scope<Req>
  /**
   * The content to fingerprint instead of the body: required for multipart, useful to leave out a
   * timestamp. May return a promise. Method, URL and content type always count. @default the body
   * as received
   */
  readonly fingerprint?: (request: Req) => unknown
  /**
   * On Express: refuses a larger body that no parser has read, with 413 `request-too-large`. Bytes.
   * @default 1_048_576
   */
  readonly maxRequestBytes?: number
}

/** The options of one controller or route that differ: `@Idempotent({ waitMs: 2_000 })`. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type RouteIdempotency<Tx = any, Req = any> = Partial<IdempotencyOptions<Tx, Req>>
