import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  checkScopeOption,
  createEngine,
  type Engine,
  type EngineOptions,
  type HandlerContext,
  OncekeyError,
  OptionsError,
  type Scope,
} from '@oncekey/core'
import type { NodeRequest } from '../request/node-request.ts'
import { type ChooseWhatCounts, MAX_REQUEST_BYTES } from '../request/read-request.ts'
import { coverRequest } from './cover-request.ts'

/** The engine's options and those for a `node:http` request. */
export interface IdempotencyOptions<Tx, Req extends NodeRequest> extends EngineOptions<Tx> {
  /** The owner of a key: `(req) => userOf(req).id`. Authenticate before this middleware. */
  readonly scope: Scope<Req>
  /**
   * The content to fingerprint instead of the body: required for multipart, useful to exclude a
   * timestamp. Method, URL and content type always count. `bytes` reads the body and puts it back:
   * `async (req, bytes) => JSON.parse(String(await bytes())).orderId`. @default the body as
   * received
   */
  readonly fingerprint?: ChooseWhatCounts<Req>
  /** Refuses larger requests with 413 `request-too-large`. Bytes. @default 1_048_576 */
  readonly maxRequestBytes?: number
}

/** The middleware and its functions. */
export interface IdempotencyMiddleware<Tx, Req extends NodeRequest> {
  /** Calls `next` without an error when the handler should run, and awaits what `next` returns. */
  (req: Req, res: ServerResponse, next: (error?: unknown) => unknown): Promise<void>
  /** The context of a covered request, typed by the store. Throws `not-covered` elsewhere. */
  of(req: IncomingMessage): HandlerContext<Tx>
  /**
   * On shutdown: refuses new requests of this middleware with 503 and lets running ones finish.
   * Returns how many did not finish by the deadline. Each middleware is drained on its own.
   */
  drain: Engine<Tx>['drain']
}

/**
 * Makes everything behind it run once per `Idempotency-Key`, for `node:http` servers, `node:http2`
 * servers (their compatibility API) and Connect.
 *
 * No body parser is needed: the middleware reads the body and puts it back. If a parser mounted
 * before it has set `req.body`, the fingerprint covers that.
 *
 * @example
 * ```ts
 * const once = idempotency({ store: postgresStore({ client: pool }), scope: (req) => userOf(req).id })
 *
 * createServer((req, res) => {
 *   once(req, res, async (error) => {
 *     if (error) return void res.writeHead(500).end()
 *     const tx = await once.of(req).transaction()
 *     // …
 *     res.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(order))
 *   }).catch(console.error) // rejects with what the callback throws
 * })
 * ```
 */
export function idempotency<Tx, Req extends NodeRequest = NodeRequest>(
  options: IdempotencyOptions<Tx, Req>,
): IdempotencyMiddleware<Tx, Req> {
  checkScopeOption(options?.scope)
  const maxBytes = maxRequestBytesOf(options)
  const engine = createEngine(options)
  const covering = { ...options, body: { maxBytes, hint: READ_BEFORE } }

  async function idempotency(
    req: Req,
    res: ServerResponse,
    next: (error?: unknown) => unknown,
  ): Promise<void> {
    if (!engine.covers(req.method ?? '')) {
      await next()
      return
    }
    let covered: Awaited<ReturnType<typeof coverRequest<Tx, Req>>>
    try {
      if (CONTEXT in req) throw mountedTwice()
      covered = await coverRequest(engine, req, res, covering, next)
    } catch (error) {
      await next(error)
      return
    }
    if (covered === undefined) return
    Reflect.set(req, CONTEXT, covered.context)
    try {
      await next()
    } catch (error) {
      covered.held.abandon(error as Error)
      throw error
    }
  }

  function of(req: IncomingMessage): HandlerContext<Tx> {
    const context = Reflect.get(req, CONTEXT) as HandlerContext<Tx> | undefined
    if (context !== undefined) return context
    throw new OncekeyError(
      'not-covered',
      `once.of(req): idempotency() did not run for ${req.method} ${req.url}. Call it before this handler; it covers ${[...engine.options.methods].join(', ')}.`,
    )
  }

  return Object.assign(idempotency, { of, drain: engine.drain })
}

function maxRequestBytesOf({
  maxRequestBytes = MAX_REQUEST_BYTES,
}: {
  readonly maxRequestBytes?: number
}): number {
  if (Number.isSafeInteger(maxRequestBytes) && maxRequestBytes > 0) return maxRequestBytes
  throw new OptionsError('maxRequestBytes must be a whole number of bytes, 1 or more.')
}

function mountedTwice(): OncekeyError {
  return new OncekeyError(
    'mounted-twice',
    'idempotency() runs twice for this request. Call it once.',
  )
}

const CONTEXT = Symbol('oncekey.context')

const READ_BEFORE =
  'It was read before idempotency(). Let what reads it leave it in `req.body`, or say what counts with `fingerprint: (req) => …`.'
