import {
  checkScopeOption,
  createEngine,
  type EngineOptions,
  type HandlerContext,
  OncekeyError,
  type Scope,
} from '@oncekey/core'
import { type Covering, coverRequest, type NodeRequest } from '@oncekey/node'
import type { Context, Next } from 'koa'

export interface IdempotencyOptions<Tx> extends EngineOptions<Tx> {
  readonly scope: Scope<Context>
  readonly fingerprint?: (ctx: Context, bytes: () => Promise<Uint8Array>) => unknown
}

export function idempotency<Tx>(options: IdempotencyOptions<Tx>) {
  const { scope, fingerprint, waitMs } = options
  checkScopeOption(scope)
  const engine = createEngine(options)
  const contexts = new WeakMap<Context, HandlerContext<Tx>>()

  async function idempotency(ctx: Context, next: Next): Promise<void> {
    if (!engine.covers(ctx.method)) return next()
    const reading = {
      // The one string is 'dangerously-shared': all callers share their keys.
      scope: typeof scope === 'string' ? scope : () => scope(ctx),
      target: ctx.originalUrl,
      native: ctx, // what the app's other functions are called with, such as `key`
      body: { maxBytes: 1_048_576 }, // a longer one is refused with 413
      ...(fingerprint && { fingerprint: (_, bytes) => fingerprint(ctx, bytes) }),
      // Says that a claim may wait, so a client that hangs up has to be noticed.
      ...(waitMs !== undefined && { waitMs }),
    } satisfies Covering<NodeRequest>
    const fail = (error: unknown) => ctx.onerror(error as Error)
    const covered = await coverRequest(engine, ctx.req, ctx.res, reading, fail)
    if (covered === undefined) {
      ctx.respond = false // a replay or a problem is on its way
      return
    }
    contexts.set(ctx, covered.context)
    try {
      await next()
    } catch (error) {
      // Koa sends no error once a response has begun: its client would wait for ever.
      if (covered.held.begun) covered.held.abandon(error as Error)
      throw error
    } finally {
      // Koa does not answer a client that has hung up; its retry would get an empty body.
      let isOver = false
      void covered.held.over.then(() => {
        isOver = true
      })
      const get = () => !ctx.res.writableEnded && !(isOver && ctx.res.destroyed)
      Object.defineProperty(ctx.response, 'writable', { configurable: true, get })
    }
  }

  function of(ctx: Context): HandlerContext<Tx> {
    const context = contexts.get(ctx)
    if (context === undefined) throw new OncekeyError('not-covered', 'Mount idempotency() first.')
    return context
  }

  return Object.assign(idempotency, { of, drain: engine.drain })
}
