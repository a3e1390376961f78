import { readUpTo } from './body-bytes.ts'
import { type FrozenRequest, targetOf } from './frozen-request.ts'
import type { ResolvedOptions } from './options.ts'
import { isProblemType, type Problem, readProblem } from './problem.ts'
import type { LossReason } from './should-retry.ts'
import { startLimit, type TimeLimit, untilAborted } from './time-limit.ts'

/** The server's response, complete unless `streamed`. */
export interface Answer {
  readonly kind: 'answer'
  readonly response: Response
  readonly problem: Problem | undefined
  /** The body is still arriving, and this client will not notice if it is cut. */
  readonly streamed: boolean
}

/** No answer came, so it is unknown whether the request took effect. */
export interface Loss {
  readonly kind: 'lost'
  readonly reason: LossReason
  readonly error: unknown
}

/**
 * Sends the request once. A response whose body does not arrive completely counts as lost, because
 * its status alone is not what the caller asked for. Throws nothing but the abort reason of `call`.
 */
export async function attempt(
  request: FrozenRequest,
  options: ResolvedOptions & { readonly response: 'buffer' | 'stream' },
  call: TimeLimit,
): Promise<Answer | Loss> {
  const limit = startLimit(call.signal, options.attemptTimeoutMs, options.now)
  let reason: Loss['reason'] = 'network-error'
  let streamed: Response | undefined
  try {
    const response = await untilAborted(limit.signal, send(request, options, limit.signal))
    reason = 'body-lost'
    const answer = await receive(response, options, limit.signal)
    if (answer.streamed) streamed = answer.response
    return answer
  } catch (error) {
    if (call.signal.aborted) throw call.signal.reason
    return { kind: 'lost', reason: limit.ranOut() ? 'timeout' : reason, error }
  } finally {
    // While a body is arriving, the time limit no longer applies, but the caller's signal does.
    if (streamed !== undefined) limit.stopClock(holdersOf(streamed))
    else limit.end()
  }
}

/** The objects that a caller may keep while it reads a response. */
export function holdersOf(response: Response): readonly object[] {
  return response.body == null ? [response] : [response, response.body]
}

async function send(
  request: FrozenRequest,
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<Response> {
  const { method, headers, body, rest } = request
  return options.fetch(targetOf(request), {
    ...rest,
    method,
    headers: new Headers(headers),
    signal,
    ...(body !== undefined && { body }),
  })
}

async function receive(
  response: Response,
  options: ResolvedOptions & { readonly response: 'buffer' | 'stream' },
  signal: AbortSignal,
): Promise<Answer> {
  // A server may give its problems any status.
  const isProblem = isProblemType(response.headers.get('content-type'))
  const maxBytes = Math.max(options.maxResponseBytes, isProblem ? PROBLEM_BYTES : 0)
  const wantsStream = options.response === 'stream' && response.status < 400 && !isProblem
  if (response.body == null) return answer(response, false)
  if (wantsStream || isEventStream(response) || announcedBytes(response) > maxBytes) {
    return answer(response, true)
  }
  // A clone, because a Response built from the bytes would lose `url`, `redirected` and `type`.
  // What is read of the original is buffered in the clone.
  const kept = response.clone()
  const bytes = await readUpTo(response.body, maxBytes, signal)
  if (bytes === undefined) return answer(kept, true)
  return answer(kept, false, readProblem(kept.headers.get('content-type'), bytes))
}

/**
 * How much of a problem is read however low `maxResponseBytes` is. Unread, `outcome-unknown` would
 * be a conflict like any other, which settles its key.
 */
const PROBLEM_BYTES = 65_536

function answer(response: Response, streamed: boolean, problem?: Problem): Answer {
  return { kind: 'answer', response, problem, streamed }
}

function isEventStream(response: Response): boolean {
  return /^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '')
}

function announcedBytes(response: Response): number {
  return Number(response.headers.get('content-length') ?? 0)
}
