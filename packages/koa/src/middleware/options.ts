import type { EngineOptions, Scope } from '@oncekey/core'
import type { KoaContext } from './koa-context.ts'

/** The engine's options, and those that are about a Koa context. */
export interface IdempotencyOptions<Tx, Ctx extends KoaContext> extends EngineOptions<Tx> {
  /** Who a key belongs to: `(ctx) => ctx.state.user.id`. Authenticate before this middleware. */
  readonly scope: Scope<Ctx>
  /**
   * The content to fingerprint instead of the body: required for multipart, useful to leave out a
   * timestamp. Method, URL and content type always count. `bytes` reads the body and puts it back:
   * `async (ctx, bytes) => JSON.parse(String(await bytes())).orderId`. @default the body as
   * received
   */
  readonly fingerprint?: (ctx: Ctx, bytes: () => Promise<Uint8Array>) => unknown
  /** Refuses larger requests with 413 `request-too-large`. Bytes. @default 1_048_576 */
  readonly maxRequestBytes?: number
}
