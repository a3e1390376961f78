import {
  checkScopeOption,
  createEngine,
  type Engine,
  type HandlerContext,
  OncekeyError,
  OptionsError,
} from '@oncekey/core'
import { type Covered, coverRequest } from '@oncekey/node'
import type { DefaultContext, DefaultState, ParameterizedContext } from 'koa'
import { coveringOf } from './covering.ts'
import {
  answerWhoeverIsThere,
  ignoreLateHeaders,
  isUnanswered,
  type KoaContext,
  onNotFound,
} from './koa-context.ts'
import type { IdempotencyOptions } from './options.ts'

/** The middleware and its functions. */
export interface IdempotencyMiddleware<Tx, Ctx extends KoaContext> {
  (ctx: Ctx, next: () => Promise<unknown>): Promise<void>
  /** The context of a covered request, typed by the store. Throws `not-covered` elsewhere. */
  of(ctx: KoaContext): HandlerContext<Tx>
  /**
   * On shutdown: refuses new requests of this middleware with 503 and lets running ones finish.
   * Returns how many did not finish by the deadline. Each middleware is drained on its own.
   */
  drain: Engine<Tx>['drain']
}

/**
 * Makes the middleware behind it run once per `Idempotency-Key`, for Koa 2.13+ and 3.
 *
 * Mount it after authentication. A body parser may come before or after: the middleware takes what
 * a parser left, or else reads the body and puts it back.
 *
 * @example
 * ```ts
 * const once = idempotency({ store: postgresStore({ client: pool }), scope: (ctx) => ctx.state.user.id })
 *
 * app.use(bodyParser()).use(once)
 * router.post('/orders', async (ctx) => {
 *   const tx = await once.of(ctx).transaction()
 *   // …
 *   ctx.status = 201
 *   ctx.body = order
 * })
 * ```
 */
export function idempotency<
  Tx,
  Ctx extends KoaContext = ParameterizedContext<DefaultState, DefaultContext>,
>(options: IdempotencyOptions<Tx, Ctx>): IdempotencyMiddleware<Tx, Ctx> {
  checkScopeOption(options?.scope)
  const maxRequestBytes = checkedMaxRequestBytes(options.maxRequestBytes)
  const engine = createEngine(options)
  const { mode } = engine.options.store.capabilities

  async function idempotency(ctx: Ctx, next: () => Promise<unknown>): Promise<void> {
    if (!engine.covers(ctx.method)) {
      await next()
      return
    }
    if (ctx.idempotency !== undefined) throw mountedTwice()
    const covering = coveringOf(ctx, { ...options, maxRequestBytes })
    const fail = (error: unknown) => ctx.onerror(error as Error)
    const covered = await coverRequest(engine, ctx.req, ctx.res, covering, fail)
    if (covered === undefined) {
      // A replay or a problem is being sent, so Koa must not respond.
      ctx.respond = false
      ignoreLateHeaders(ctx)
      return
    }
    ctx.idempotency = covered.context
    await run(ctx, next, covered, mode)
  }

  function of(ctx: KoaContext): HandlerContext<Tx> {
    if (ctx.idempotency === undefined) {
      throw new OncekeyError(
        'not-covered',
        `once.of(ctx): idempotency() did not run for ${ctx.method} ${ctx.originalUrl}. Mount it before this handler; it covers ${[...engine.options.methods].join(', ')}.`,
      )
    }
    return ctx.idempotency as HandlerContext<Tx>
  }

  return Object.assign(idempotency, { of, drain: engine.drain })
}

async function run(
  ctx: KoaContext,
  next: () => Promise<unknown>,
  { context, held }: Covered<unknown>,
  mode: 'transaction' | 'lease',
): Promise<void> {
  try {
    await next()
  } catch (error) {
    // Koa does nothing about a response that has begun, so its client would wait for ever.
    if (held.begun) held.abandon(error as Error)
    throw error
  } finally {
    answerWhoeverIsThere(ctx, held)
  }
  // A handler that answered nothing may have acted outside, or still run, because nobody waited for
  // it. No undo reaches that, so in lease mode the status decides, as for every other response.
  if (held.begun || mode === 'lease' || !isUnanswered(ctx)) return
  // If no middleware outside answers it with something else, this becomes a 404. The key is then
  // released, because a later deploy may have a route for the request.
  onNotFound(ctx, () => {
    if (!context.signal.aborted) context.release()
  })
}

function checkedMaxRequestBytes(given = 1_048_576): number {
  if (Number.isSafeInteger(given) && given > 0) return given
  throw new OptionsError('maxRequestBytes must be a whole number of bytes, 1 or more.')
}

function mountedTwice(): OncekeyError {
  return new OncekeyError(
    'mounted-twice',
    'idempotency() runs twice for this request: on the app or a router and again on the route. Mount it once.',
  )
}
