import type { ServerResponse } from 'node:http'
import {
  checkScopeOption,
  createEngine,
  type Engine,
  type EngineOptions,
  type HandlerContext,
  OncekeyError,
  type Scope,
} from '@oncekey/core'
import { coverRequest } from '@oncekey/node'
import { toDictionaries } from './dictionary-mode.ts'
import type { ExpressRequest } from './express-request.ts'

/** The engine's options, and the two that receive an Express request. */
export interface IdempotencyOptions<Tx, Req extends ExpressRequest> extends EngineOptions<Tx> {
  /** The owner of a key: `(req) => req.user.id`. Authenticate before this middleware. */
  readonly scope: Scope<Req>
  /**
   * The content to fingerprint instead of the body: required for multipart, useful to exclude a
   * timestamp. Method, URL and content type always count. @default the body as received
   */
  readonly fingerprint?: (req: Req) => unknown
}

/** The middleware and its functions. */
export interface IdempotencyMiddleware<Tx, Req extends ExpressRequest> {
  (req: Req, res: ServerResponse, next: (error?: unknown) => void): Promise<void>
  /** The context of a covered request, typed by the store. Throws `not-covered` elsewhere. */
  of(req: ExpressRequest): HandlerContext<Tx>
  /**
   * On shutdown: refuses new requests of this middleware with 503 and lets running ones finish.
   * Returns how many did not finish by the deadline. Each middleware is drained on its own.
   */
  drain: Engine<Tx>['drain']
}

/**
 * Makes the routes behind it run once per `Idempotency-Key`, for Express 4.18+ and 5.
 *
 * Mount it after authentication, the body parser and validators. If one of these changes the body,
 * parse with `keepRawBody`, so that what the client sent is compared.
 *
 * @example
 * ```ts
 * const once = idempotency({ store: postgresStore({ client: pool }), scope: (req) => req.user.id })
 *
 * app.post('/orders', express.json(), once, async (req, res) => {
 *   const { transaction, emit } = once.of(req)
 *   const tx = await transaction()
 *   // …
 *   res.status(201).json(order)
 * })
 * ```
 */
export function idempotency<Tx, Req extends ExpressRequest = ExpressRequest>(
  options: IdempotencyOptions<Tx, Req>,
): IdempotencyMiddleware<Tx, Req> {
  checkScopeOption(options?.scope)
  const engine = createEngine(options)

  async function idempotency(
    req: Req,
    res: ServerResponse,
    next: (error?: unknown) => void,
  ): Promise<void> {
    if (!engine.covers(req.method ?? '')) return next()
    toDictionaries(req, res)
    try {
      if (req.idempotency !== undefined) throw mountedTwice()
      const covered = await coverRequest(engine, req, res, options, next)
      if (covered === undefined) return
      req.idempotency = covered.context
    } catch (error) {
      return next(error)
    }
    next()
  }

  function of(req: ExpressRequest): HandlerContext<Tx> {
    if (req.idempotency === undefined) {
      throw new OncekeyError(
        'not-covered',
        `once.of(req): idempotency() did not run for ${req.method} ${req.originalUrl}. Mount it before this handler; it covers ${[...engine.options.methods].join(', ')}.`,
      )
    }
    return req.idempotency as HandlerContext<Tx>
  }

  return Object.assign(idempotency, { of, drain: engine.drain })
}

function mountedTwice(): OncekeyError {
  return new OncekeyError(
    'mounted-twice',
    'idempotency() runs twice for this request: on the app or router and again on the route. Mount it once.',
  )
}
