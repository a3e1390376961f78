import type { EngineOptions, HandlerContext, Scope } from '@oncekey/core'
import type { FastifyRequest } from 'fastify'

/** The engine's options, and the two that are functions of a Fastify request. */
export interface IdempotencyOptions<Tx = unknown> extends EngineOptions<Tx> {
  /**
   * Who a key belongs to: `(request) => request.user.id`. Every hook of the route has run by then.
   */
  readonly scope: Scope<FastifyRequest>
  /**
   * What counts of the body, in its place: needed for multipart, useful to leave a timestamp out.
   * May return a promise. Method, URL and content type always count. @default the body as it came
   */
  readonly fingerprint?: (request: FastifyRequest) => unknown
}

/** What a route says differently: `config: { idempotency: { waitMs: 2000 } }`. */
export type RouteIdempotency = Partial<IdempotencyOptions>

declare module 'fastify' {
  interface FastifyRequest {
    /** What `once.of(request)` returns, loosely typed; `null` where no attempt runs. */
    idempotency: HandlerContext | null
  }
  interface FastifyContextConfig {
    /** Options over the plugin's for this route, or `false`: this route is not covered. */
    idempotency?: RouteIdempotency | false
  }
}
