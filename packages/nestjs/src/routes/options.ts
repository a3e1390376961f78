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
   * What counts of the body, in its place: needed for multipart, useful to leave a timestamp out.
   * May return a promise. Method, URL and content type always count. @default the body as it came
   */
  readonly fingerprint?: (request: Req) => unknown
  /**
   * On Express: a larger body that no parser has read is refused, 413 `request-too-large`. Bytes.
   * @default 1_048_576
   */
  readonly maxRequestBytes?: number
}

/** What a controller or a route says differently: `@Idempotent({ waitMs: 2_000 })`. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type RouteIdempotency<Tx = any, Req = any> = Partial<IdempotencyOptions<Tx, Req>>
