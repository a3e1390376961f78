import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HandlerContext } from '@oncekey/core'
import type { HeldResponse } from '@oncekey/node'

/**
 * The part of a Koa context that is read and set here. Koa's own `Context` fits, whatever an app
 * and its routers add to it.
 */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly method: string
  /** The URL as the client sent it, before `koa-mount` took its path off. */
  readonly originalUrl: string
  /** The data that an app's middleware shares, such as the user. */
  // biome-ignore lint/suspicious/noExplicitAny: what an app keeps there is its own, as in Koa's types
  readonly state: any
  readonly body?: unknown
  readonly request: object
  readonly response: object
  /** `false`: Koa sends nothing. */
  respond?: boolean | undefined
  /** What `once.of(ctx)` returns, loosely typed; on covered requests only. */
  idempotency?: HandlerContext | undefined
  /** A request header; empty where there is none. */
  get(name: string): string
  onerror(error: Error): void
}

/** The parsed body and the raw text, as body parsers leave them on Koa's request. */
export function parsedBodyOf({ request }: KoaContext): {
  readonly body?: unknown
  readonly rawBody?: unknown
} {
  return request
}

/** The route's pattern, once @koa/router or koa-router has found it. */
export function routeOf(ctx: object): string | undefined {
  const { _matchedRoute: pattern } = ctx as { _matchedRoute?: unknown }
  return typeof pattern === 'string' ? pattern : undefined
}

/**
 * Whether no middleware has answered yet: if none does, Koa sends its own 404. What is written past
 * Koa, with `ctx.respond = false`, is an answer, too.
 */
export function isUnanswered({ body, respond, response }: KoaContext): boolean {
  const { _explicitStatus: hasStatus = false } = response as { _explicitStatus?: boolean }
  return body === undefined && respond !== false && !hasStatus
}

/**
 * Calls back if the response turns out to be a 404. For a handler that answered nothing: the 404 is
 * then Koa's own, or a page of its kind that middleware outside makes for every such request. This
 * is known only when the head is written: until then, middleware outside may still answer for the
 * handler, as one does that puts every result into an envelope.
 */
export function onNotFound({ res }: KoaContext, notFound: () => void): void {
  const { writeHead } = res
  const writesHead = (...given: unknown[]): ServerResponse => {
    res.writeHead = writeHead
    if (given[0] === 404) notFound()
    return writeHead.apply(res, given as never)
  }
  res.writeHead = writesHead as typeof writeHead
}

/**
 * Makes Koa respond, whether or not the client is still there. Koa looks at the connection first:
 * if the client has hung up, Koa 2 sends nothing and Koa 3 an empty body, and neither answers an
 * error. A response that is held back is not for this connection alone, because a retry gets it on
 * another. Call it once the handler has returned. What streams after the response is no longer held
 * has nobody but its client, so the hang-up counts again.
 */
export function answerWhoeverIsThere({ res, response }: KoaContext, held: HeldResponse): void {
  let isOver = false
  void held.over.then(() => {
    isOver = true
  })
  Object.defineProperty(response, 'writable', {
    configurable: true,
    get: () => !res.writableEnded && !(isOver && res.destroyed),
  })
}

/**
 * Ignores headers that are set after the response has left, as Koa's own `ctx.set` does. Session
 * middleware sets its cookie once all middleware has returned, with `ctx.cookies`, which would
 * throw.
 */
export function ignoreLateHeaders({ res }: KoaContext): void {
  const { setHeader } = res
  res.setHeader = (name, value) => (res.headersSent ? res : setHeader.call(res, name, value))
}
