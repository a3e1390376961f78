import {
  type Begun,
  checkScopeOption,
  createEngine,
  type Engine,
  type EngineOptions,
  type HandlerContext,
  OncekeyError,
  type Run,
  type Scope,
} from '@oncekey/core'
import { captureResponse } from './capture-response.ts'
import { readRequest } from './read-request.ts'
import { responseOf } from './response-of.ts'

/** The engine's options, and those that are about a fetch request. */
export interface IdempotencyOptions<Tx> extends EngineOptions<Tx> {
  /** Who a key belongs to. Authenticate before: what this wraps runs for whoever it is called with. */
  readonly scope: Scope<Request>
  /**
   * What counts of the body, in its place: needed for multipart, useful to leave a timestamp out.
   * Method, URL and content type always count. It may read the request. @default the body as it came
   */
  readonly fingerprint?: (request: Request) => unknown
  /** A larger request is refused, 413 `request-too-large`. Bytes. @default 1_048_576 */
  readonly maxRequestBytes?: number
}

/** A route handler: whatever it is called with beside the request is passed on. */
export type Handler<Rest extends unknown[]> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>

/** Wraps handlers, and what belongs to them. */
export interface IdempotencyWrapper<Tx> {
  <Rest extends unknown[]>(
    handler: Handler<Rest>,
  ): (request: Request, ...rest: Rest) => Promise<Response>
  /** What the handler of a covered request may use; typed by the store. Throws `not-covered` elsewhere. */
  of(request: Request): HandlerContext<Tx>
  /** On shutdown: new requests get 503, running ones finish. Returns how many did not by the deadline. */
  drain: Engine<Tx>['drain']
}

/**
 * Makes a `(Request) => Response` handler run once per `Idempotency-Key`, wherever such handlers run.
 *
 * @example
 * ```ts
 * const once = idempotency({ store, scope: (request) => accountOf(request) })
 *
 * export const POST = once(async (request) => {
 *   const tx = await once.of(request).transaction()
 *   // …
 *   return Response.json(order, { status: 201 })
 * })
 * ```
 */
export function idempotency<Tx>(options: IdempotencyOptions<Tx>): IdempotencyWrapper<Tx> {
  checkScopeOption(options?.scope)
  const engine = createEngine(options)
  const contexts = new WeakMap<Request, HandlerContext<Tx>>()

  function wrap<Rest extends unknown[]>(handler: Handler<Rest>) {
    return async function idempotency(request: Request, ...rest: Rest): Promise<Response> {
      if (!engine.covers(request.method)) return handler(request, ...rest)
      if (contexts.has(request)) throw wrappedTwice()
      const begun: Begun<Tx> = await engine.begin(readRequest(request, options))
      if (begun.kind !== 'run') return responseOf(begun.response)
      contexts.set(request, begun.run.context)
      return answerOf(begun.run, async () => handler(request, ...rest))
    }
  }

  function of(request: Request): HandlerContext<Tx> {
    const context = contexts.get(request)
    if (context !== undefined) return context
    throw new OncekeyError(
      'not-covered',
      `once.of(request): no attempt runs for ${request.method} ${request.url}. Give it the request that the wrapped handler was called with; covered are ${[...engine.options.methods].join(', ')}.`,
    )
  }

  return Object.assign(wrap, { of, drain: engine.drain })
}

async function answerOf(run: Run, handle: () => Promise<Response>): Promise<Response> {
  const handled = handle().then(
    (response) => ({ kind: 'response', response }) as const,
    async (error) => {
      const verdict = await run.abandon()
      if (verdict.kind === 'send') throw error
      // It had been given up before it threw, and that is answered.
      return verdict
    },
  )
  const first = await Promise.race([handled, run.interrupted])
  if (first.kind === 'response') return captureResponse(run, first.response)
  // Nobody is there for what comes now, nor for how it fails.
  handled
    .then((late) => (late.kind === 'response' ? late.response?.body?.cancel() : undefined))
    .catch(() => {})
  return responseOf(first.response)
}

function wrappedTwice(): OncekeyError {
  return new OncekeyError(
    'mounted-twice',
    'idempotency() wraps this handler twice for one request. Wrap it once.',
  )
}
