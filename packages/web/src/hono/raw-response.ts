import type { HandlerRun } from '@oncekey/core'
import type { HeldResponse, holdBack } from '@oncekey/node'
import { made } from './made-response.ts'

/** The Node response behind a Hono context, held back once a handler accesses it. */
export interface RawResponse {
  /**
   * Whether the handler responded through the Node response, or had begun to when the run was
   * interrupted.
   */
  readonly isUsed: boolean
  /**
   * Call it when the handler has returned or failed. `true`: the Node response is the handler's
   * answer, or will be if `returned` says so, and the held response finishes it. `false`: nothing
   * was written to it. Throws if it was sent before it could be held back.
   */
  finish(returned: Response | undefined, error?: unknown): boolean
}

/**
 * Watches `c.env.outgoing` of @hono/node-server, which handlers write to when they return
 * `RESPONSE_ALREADY_SENT`. Nothing is held until a handler reads it, so requests that return a
 * Response cost no more. `undefined` on every other runtime.
 */
export async function watchRawResponse(
  env: { outgoing?: unknown } | undefined,
  run: HandlerRun,
): Promise<RawResponse | undefined> {
  const outgoing = env?.outgoing
  if (env === undefined || !isNodeResponse(outgoing)) return undefined
  hold ??= (await import('@oncekey/node')).holdBack
  const holds = hold
  let held: HeldResponse | undefined
  let isReplaced = false

  function holdNow(response: NodeResponse): void {
    const holding = holds(response, run)
    held = holding
    run.onInterrupted(({ response }) => {
      isReplaced = true
      holding.replace(response)
    })
  }

  Object.defineProperty(env, 'outgoing', {
    configurable: true,
    enumerable: true,
    get() {
      if (held === undefined) holdNow(outgoing)
      return outgoing
    },
  })

  return {
    get isUsed() {
      return isReplaced || (held?.begun ?? false)
    },
    finish(returned, error) {
      Object.defineProperty(env, 'outgoing', {
        configurable: true,
        enumerable: true,
        writable: true,
        value: outgoing,
      })
      if (isReplaced) return true
      if (returned !== undefined && isAlreadySent(returned)) {
        if (held === undefined && outgoing.headersSent) throw sentBefore()
        // The response may come later, from a proxy or a transport that holds it.
        if (held === undefined) holdNow(outgoing)
        if (!(held as HeldResponse | undefined)?.begun) return true
      }
      if (held === undefined || held.handBack()) return false
      if (error !== undefined) held.abandon(error as Error)
      return true
    },
  }
}

/**
 * Tells @hono/node-server that somebody else sends the response. Version 2 recognizes the header
 * only on a Response that was really made; see {@link made}. It sends any other.
 */
export function alreadySent(): Response {
  return made(new Response(null, { headers: { [ALREADY_SENT]: 'true' } }))
}

export function isAlreadySent({ headers }: Response): boolean {
  return headers.has(ALREADY_SENT)
}

const ALREADY_SENT = 'x-hono-already-sent'

function sentBefore(): TypeError {
  return new TypeError(
    'The handler answered through a response of Node that it had from before idempotency(), so nothing of it was kept. Take it from c.env.outgoing in the handler.',
  )
}

type NodeResponse = Parameters<typeof holdBack>[0]

function isNodeResponse(outgoing: unknown): outgoing is NodeResponse {
  const { writeHead, end } = (outgoing ?? {}) as Partial<NodeResponse>
  return typeof writeHead === 'function' && typeof end === 'function'
}

let hold: typeof holdBack | undefined
