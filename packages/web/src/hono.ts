import {
  checkScopeOption,
  createEngine,
  type Engine,
  type EngineOptions,
  type EngineRequest,
  type HandlerContext,
  OncekeyError,
  resolveScope,
  type Scope,
} from '@oncekey/core'
import type { Context, Env, HonoRequest, MiddlewareHandler, Next } from 'hono'
import { answerOnce } from './handling/answer-once.ts'
import { impliedType, sendWithoutType } from './hono/implied-type.ts'
import { guardLateAnswers } from './hono/late-answer.ts'
import { alreadySent, type RawResponse, watchRawResponse } from './hono/raw-response.ts'
import { readRequest, resolveRequestOptions } from './request/read-request.ts'

/** The engine's options, and those that are about a request of Hono. */
export interface IdempotencyOptions<Tx, E extends Env> extends EngineOptions<Tx> {
  /** Who a key belongs to: `(c) => c.get('user').id`. Authenticate before this middleware. */
  readonly scope: Scope<Context<E>>
  /**
   * What counts of the body, in its place: needed for multipart, useful to leave a timestamp out.
   * Method, URL and content type always count. It may read `c.req`. @default the body as it came
   */
  readonly fingerprint?: (c: Context<E>) => unknown
  /** A larger request is refused, 413 `request-too-large`. Bytes. @default 1_048_576 */
  readonly maxRequestBytes?: number
}

/** What `c.get` and `c.var` have behind the middleware, on covered requests. */
export interface IdempotencyVariables<Tx = unknown> {
  /** What `once.of(c)` returns. */
  idempotency: HandlerContext<Tx>
}

/** The middleware, and what belongs to it. */
export interface IdempotencyMiddleware<Tx>
  extends MiddlewareHandler<{ Variables: IdempotencyVariables<Tx> }> {
  /** What the handler of a covered request may use; typed by the store. Throws `not-covered` elsewhere. */
  of(c: AnyContext): HandlerContext<Tx>
  /** On shutdown: new requests get 503, running ones finish. Returns how many did not by the deadline. */
  drain: Engine<Tx>['drain']
}

// biome-ignore lint/suspicious/noExplicitAny: what Hono's own middleware takes: the context of any app
type AnyContext = Context<any>

/**
 * Makes the routes behind it run once per `Idempotency-Key`, for Hono.
 *
 * Mount it after authentication. Validators and body limits may stand before it or after.
 *
 * @example
 * ```ts
 * const once = idempotency({ store: postgresStore({ client: pool }), scope: (c) => c.get('user').id })
 *
 * app.post('/orders', once, async (c) => {
 *   const { transaction, emit } = c.var.idempotency
 *   const tx = await transaction()
 *   // …
 *   return c.json(order, 201)
 * })
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: as Hono's own middleware, it fits apps of every Env
export function idempotency<Tx, E extends Env = any>(
  options: IdempotencyOptions<Tx, E>,
): IdempotencyMiddleware<Tx> {
  checkScopeOption(options?.scope)
  const { fingerprint, maxRequestBytes } = resolveRequestOptions(options)
  const engine = createEngine(options)

  async function idempotency(c: AnyContext, next: Next): Promise<void> {
    // Not `return next()`: what `next` resolves to is Hono's own, and no Response.
    if (!engine.covers(c.req.method)) {
      await next()
      return
    }
    if (c.get('idempotency') !== undefined) throw mountedTwice()
    // Those of `c.res` and those of `c.header()`, without making either of them.
    const before = new Headers(c.newResponse(null, 200).headers)
    let answered = false
    let hasRun = false
    let isRunning = false
    let raw: RawResponse | undefined
    const late = guardLateAnswers(c)
    try {
      const handle: Parameters<typeof answerOnce<Tx>>[3] = async (context, run) => {
        c.set('idempotency', context)
        hasRun = true
        raw = await watchRawResponse(c.env, run)
        isRunning = true
        try {
          await next()
        } finally {
          isRunning = false
        }
        if (raw?.finish(c.finalized ? c.res : undefined, c.error)) return { sent: alreadySent() }
        if (answered || !c.finalized) return undefined
        // Answered outside meanwhile, and sent: by Hono's `timeout`, for one.
        if (c.error !== undefined && c.res.bodyUsed) throw c.error
        // An error of the handler is a response by now: `app.onError` made it, and it is judged as one.
        return c.res
      }
      const type = impliedType(c)
      const answer = await answerOnce(engine, reading(c), before, handle, undefined, type)
      answered = true
      putResponse(c, raw?.isUsed ? alreadySent() : answer)
      if (!hasRun) sendWithoutType(c)
      if (isRunning) late.refuse()
    } catch (error) {
      raw?.finish(undefined, error)
      // For `app.onError`, which starts from the headers that are there: none of a response that was undone.
      putResponse(c, new Response(null, { headers: before }))
      throw error
    }
  }

  function reading(c: AnyContext): EngineRequest {
    return readRequest(c.req.raw, {
      scope: resolveScope(options.scope, c),
      native: c,
      route: () => routeOf(c),
      chosen: fingerprint && (() => fingerprint(c)),
      readBefore: () => keptBody(c.req),
      hint: READ_PAST_HONO,
      maxRequestBytes,
    })
  }

  function of(c: AnyContext): HandlerContext<Tx> {
    const context = c.get('idempotency')
    if (context !== undefined) return context
    throw new OncekeyError(
      'not-covered',
      `once.of(c): idempotency() did not run for ${c.req.method} ${c.req.path}. Mount it before this handler; it covers ${[...engine.options.methods].join(', ')}.`,
    )
  }

  return Object.assign(idempotency, { of, drain: engine.drain })
}

/** The pattern of what answers: the last of the matched routes that is not middleware for all paths. */
function routeOf({ req }: AnyContext): string | undefined {
  const route = req.matchedRoutes.findLast(({ path }) => path !== '*' && path !== '/*')
  return route?.path
}

/** Without the first line Hono would keep the headers of the response that was there. */
function putResponse(c: AnyContext, response: Response): void {
  c.res = undefined
  c.res = response
}

/** What validators and `c.req.json()` leave: the bytes, or the text that they were. Not a form, whose boundary is made anew. */
async function keptBody({ bodyCache }: HonoRequest): Promise<Uint8Array | undefined> {
  const kept = await (bodyCache.arrayBuffer ?? bodyCache.text ?? bodyCache.blob)
  return kept === undefined ? undefined : new Uint8Array(await new Response(kept).arrayBuffer())
}

function mountedTwice(): OncekeyError {
  return new OncekeyError(
    'mounted-twice',
    'idempotency() runs twice for this request: on the app and again on the route. Mount it once.',
  )
}

const READ_PAST_HONO =
  'It was read before idempotency(), from `c.req.raw` or as a form. Read it with `c.req.json()`, `text()` or `arrayBuffer()`, which keep it; or say what counts with `fingerprint`.'
