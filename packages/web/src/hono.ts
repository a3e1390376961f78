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
import { made } from './hono/made-response.ts'
import {
  alreadySent,
  isAlreadySent,
  type RawResponse,
  watchRawResponse,
} from './hono/raw-response.ts'
import { refuseSuccess, refuseSuccessAfterError } from './hono/undone-answer.ts'
import { readRequest, resolveRequestOptions } from './request/read-request.ts'

/** The engine's options and those for a Hono request. */
export interface IdempotencyOptions<Tx, E extends Env> extends EngineOptions<Tx> {
  /** The owner of a key: `(c) => c.get('user').id`. Authenticate before this middleware. */
  readonly scope: Scope<Context<E>>
  /**
   * The content to fingerprint instead of the body: required for multipart, useful to exclude a
   * timestamp. Method, URL and content type always count. It may read `c.req`. @default the body as
   * received
   */
  readonly fingerprint?: (c: Context<E>) => unknown
  /** Refuses larger requests with 413 `request-too-large`. Bytes. @default 1_048_576 */
  readonly maxRequestBytes?: number
}

/** What `c.get` and `c.var` provide behind the middleware, on covered requests. */
export interface IdempotencyVariables<Tx = unknown> {
  /** What `once.of(c)` returns. */
  idempotency: HandlerContext<Tx>
}

/** The middleware and its functions. */
export interface IdempotencyMiddleware<Tx>
  extends MiddlewareHandler<{ Variables: IdempotencyVariables<Tx> }> {
  /** The context of a covered request, typed by the store. Throws `not-covered` elsewhere. */
  of(c: AnyContext): HandlerContext<Tx>
  /**
   * On shutdown: refuses new requests of this middleware with 503 and lets running ones finish.
   * Returns how many did not finish by the deadline. Each middleware is drained on its own.
   */
  drain: Engine<Tx>['drain']
}

// biome-ignore lint/suspicious/noExplicitAny: what Hono's own middleware takes: the context of any app
type AnyContext = Context<any>

/**
 * Makes the routes behind it run once per `Idempotency-Key`, for Hono.
 *
 * Mount it after authentication. Validators and body limits can be mounted before or after it.
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
    // Not `return next()`, because `next` does not resolve to a Response.
    if (!engine.covers(c.req.method)) {
      await next()
      return
    }
    if (c.get('idempotency') !== undefined) throw mountedTwice()
    // The headers of `c.res` and `c.header()`, without creating either.
    const before = new Headers(c.newResponse(null, 200).headers)
    let answered = false
    let hasRun = false
    let isRunning = false
    let isProblem = false
    let raw: RawResponse | undefined
    const late = guardLateAnswers(c)
    // A middleware outside may have set a response before, which is no answer yet.
    const wasFinalized = c.finalized
    let isTooLate = false
    try {
      const handle: Parameters<typeof answerOnce<Tx>>[3] = async (context, run) => {
        // Something outside, such as a timeout, has responded while the key was claimed, so the
        // handler must not run.
        if (!wasFinalized && c.finalized) {
          isTooLate = true
          context.release()
          await run.abandon()
          return { sent: c.res }
        }
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
        // Something outside has already responded, such as Hono's `timeout`.
        if (c.error !== undefined && made(c.res).bodyUsed) throw c.error
        // `app.onError` has already turned the handler's error into a response, which is judged
        // like any other.
        return c.res
      }
      const problem = () => {
        isProblem = true
      }
      const exchange = { before, impliedType: impliedType(c), problem }
      const answer = await answerOnce(engine, reading(c), exchange, handle)
      if (isTooLate) return
      answered = true
      putResponse(c, raw?.isUsed ? alreadySent() : answer)
      if (!hasRun || isSentEmpty(c.res)) sendWithoutType(c)
      if (isRunning) late.refuse()
      else if (isProblem) refuseSuccess(c)
    } catch (error) {
      raw?.finish(undefined, error)
      // `app.onError` starts from the current headers, so those of the undone response are removed
      // first. It is no answer: Hono would keep it instead of that of a middleware outside, which
      // gets what is thrown if it is no Error.
      putResponse(c, new Response(null, { headers: before }))
      c.finalized = false
      refuseSuccessAfterError(c)
      throw error
    }
  }

  function reading(c: AnyContext): EngineRequest {
    return readRequest(c.req.raw, {
      scope: resolveScope(options.scope, c),
      native: c,
      env: c.env,
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

/**
 * The pattern of the responding route: the last matched route that is not middleware for all paths.
 */
function routeOf({ req }: AnyContext): string | undefined {
  const route = req.matchedRoutes.findLast(({ path }) => path !== '*' && path !== '/*')
  return route?.path
}

function isSentEmpty(response: Response): boolean {
  return response.body === null && !isAlreadySent(response)
}

/** Without the first line Hono would keep the headers of the previous response. */
function putResponse(c: AnyContext, response: Response): void {
  c.res = undefined
  c.res = response
}

/**
 * What validators and `c.req.json()` cached, as bytes or text. A cached form is not used, because
 * its boundary would be regenerated.
 */
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
