import type { EngineOptions, HandlerContext, Scope } from '@oncekey/core'
import type { FastifyRequest } from 'fastify'

/** The engine's options, and the two that are functions of a Fastify request. */
export interface IdempotencyOptions<Tx = unknown> extends EngineOptions<Tx> {
  /**
   * Who a key belongs to: `(request) => request.user.id`. Every hook of the route has run by then.
   */
  readonly scope: Scope<FastifyRequest>
  /**
   * The content to fingerprint instead of the body: required for multipart, useful to leave out a
   * timestamp. May return a promise. Method, URL and content type always count. @default the body
   * as received
   */
  readonly fingerprint?: (request: FastifyRequest) => unknown
}

/** The options of one route that differ: `config: { idempotency: { waitMs: 2000 } }`. */
export type RouteIdempotency = Partial<IdempotencyOptions>

declare module 'fastify' {
  interface FastifyRequest {
    /** What `once.of(request)` returns, loosely typed; `null` where no attempt runs. */
    idempotency: HandlerContext | null
  }
  interface FastifyContextConfig {
    /** Options that override the plugin's for this route. With `false` the route is not covered. */
    idempotency?: RouteIdempotency | false
  }
}
