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
import { isPromise } from '@oncekey/core/options'
import { answerOnce } from '../handling/answer-once.ts'
import { cancelled } from '../handling/cancelled.ts'
import { copyOf, readRequest, resolveRequestOptions } from '../request/read-request.ts'
import { type AnswerOf, resolveAnswerOf } from './thrown-answer.ts'

/** The engine's options and those for a fetch request. */
export interface IdempotencyOptions<Tx, Req extends Request = Request> extends EngineOptions<Tx> {
  /** The owner of a key. Authenticate first: the wrapped handler runs for anybody. */
  readonly scope: Scope<Req>
  /**
   * Finds the response in a thrown error, for frameworks whose handlers respond by throwing;
   * `undefined` if the error is a failure, which undoes everything. A response found here is
   * treated as if the handler had returned it. @default a thrown `Response`, and the errors of
   * Next.js's `redirect()`, `notFound()` and similar functions
   */
  readonly answerOf?: AnswerOf<Req>
  /**
   * The content to fingerprint instead of the body: required for multipart, useful to exclude a
   * timestamp. Method, URL and content type always count. It may read the request. @default the
   * body as received
   */
  readonly fingerprint?: (request: Req) => unknown
  /** Refuses larger requests with 413 `request-too-large`. Bytes. @default 1_048_576 */
  readonly maxRequestBytes?: number
}

/** A route handler. Further arguments are passed through. */
export type Handler<Rest extends unknown[], Req extends Request = Request> = (
  request: Req,
  ...rest: Rest
) => Response | Promise<Response>

/**
 * Wraps handlers. Its members are for all handlers that it has wrapped. `Req` is the framework's
 * request type, such as `NextRequest`.
 */
export interface IdempotencyWrapper<Tx, Req extends Request = Request> {
  <Given extends Req, Rest extends unknown[]>(
    handler: Handler<Rest, Given>,
  ): (request: Given, ...rest: Rest) => Promise<Response>
  /** The context of a covered request, typed by the store. Throws `not-covered` elsewhere. */
  of(request: Request): HandlerContext<Tx>
  /**
   * On shutdown: refuses new requests of this middleware with 503 and lets running ones finish.
   * Returns how many did not finish by the deadline. Each middleware is drained on its own.
   */
  drain: Engine<Tx>['drain']
}

/**
 * Makes a `(Request) => Response` handler run once per `Idempotency-Key`, on any runtime.
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
export function idempotency<Tx, Req extends Request = Request>(
  options: IdempotencyOptions<Tx, Req>,
): IdempotencyWrapper<Tx, Req> {
  checkScopeOption(options?.scope)
  const answerOf = resolveAnswerOf(options.answerOf)
  const { fingerprint, maxRequestBytes } = resolveRequestOptions(options)
  const engine = createEngine(options)
  const contexts = new WeakMap<Request, HandlerContext<Tx>>()

  function wrap<Given extends Req, Rest extends unknown[]>(handler: Handler<Rest, Given>) {
    return async function idempotency(request: Given, ...rest: Rest): Promise<Response> {
      if (!engine.covers(request.method)) return handler(request, ...rest)
      if (contexts.has(request)) throw wrappedTwice()
      const handle = async (context: HandlerContext<Tx>) => {
        contexts.set(request, context)
        return handler(request, ...rest)
      }
      const thrownAnswer = async (error: unknown) => answerOf(error, request)
      return answerOnce(engine, reading(request, rest[0]), NOTHING, handle, thrownAnswer)
    }
  }

  function reading(request: Req, env: unknown): EngineRequest {
    return readRequest(request, {
      scope: resolveScope(options.scope, request),
      native: request,
      env,
      chosen: fingerprint && (() => ofCopy(request, fingerprint)),
      readBefore: async () => undefined,
      hint: READ_BEFORE,
      maxRequestBytes,
    })
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

/**
 * Calls `fingerprint` with a copy that it may read. If the request cannot be copied, it gets the
 * request itself, whose headers can still be read.
 */
function ofCopy<Req extends Request>(
  request: Req,
  fingerprint: (request: Req) => unknown,
): unknown {
  if (request.bodyUsed) return fingerprint(request)
  const copy = copyOf(request) as Req
  let chosen: unknown
  try {
    chosen = fingerprint(copy)
  } catch (error) {
    leave(copy)
    throw error
  }
  if (isPromise(chosen)) return Promise.resolve(chosen).finally(() => leave(copy))
  leave(copy)
  return chosen
}

/**
 * Cancels what is unread of a copy's body. Otherwise all that the handler reads of the request
 * would be kept for the copy as well, however large the upload is.
 */
function leave({ body }: Request): void {
  // Not awaited: a copy's `cancel` resolves only when the other branch is cancelled as well.
  if (body?.locked === false) cancelled(body).catch(() => {})
}

function wrappedTwice(): OncekeyError {
  return new OncekeyError(
    'mounted-twice',
    'idempotency() wraps this handler twice for one request. Wrap it once.',
  )
}

/** A fetch handler starts without headers from outside. */
const NOTHING = { before: new Headers() }

const READ_BEFORE =
  'It was read before the wrapped handler was called. Hand over a clone, or say what counts with `fingerprint`.'
