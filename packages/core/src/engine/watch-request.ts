import type { Decision } from '../contracts/store.ts'
import type { EngineRequest } from '../request/engine-request.ts'
import { routeOf } from '../request/route.ts'
import type { EndMessage } from '../telemetry/channels.ts'
import { type RequestTrace, requestTrace } from '../telemetry/traces.ts'
import type { WatchedRequest } from '../telemetry/watched-request.ts'
import type { Begun } from './handler-run.ts'
import type { Answer, RunOutcome } from './outcome.ts'
import type { Question } from './question.ts'

/** Traces a request from this call to its answer, or to the end of its run. */
export function watchRequest<Tx>(
  of: {
    readonly namespace: string
    readonly traceparent: string | undefined
    readonly request: EngineRequest | undefined
  },
  begin: (watched: WatchedRequest) => Promise<Begun<Tx>>,
): Promise<Begun<Tx>> {
  const { namespace, traceparent, request } = of
  const context = contextOf(namespace, traceparent)
  const watched: WatchedRequest = { context, decidedAt: 0, answeredAt: 0 }
  return requestTrace.start(context, async () => {
    try {
      const begun = await begin(watched)
      if (begun.kind !== 'run') {
        if (request !== undefined) context.route ??= routeOf({ facts: { namespace }, request })
        answeredWith(context, begun)
        requestTrace.end(context)
      }
      return begun
    } catch (error) {
      context.error = error
      requestTrace.end(context)
      throw error
    }
  })
}

/**
 * A context with all of its properties, so that V8 makes one object of it. Each property that is
 * added later can move all of them.
 */
function contextOf(namespace: string, traceparent: string | undefined): RequestTrace {
  return {
    namespace,
    traceparent,
    within: undefined,
    startedAt: undefined,
    scope: undefined,
    key: undefined,
    route: undefined,
    decision: undefined,
    origin: undefined,
    code: undefined,
    status: undefined,
    attempt: undefined,
    disposition: undefined,
    outcome: undefined,
    events: undefined,
    claimMs: undefined,
    handlerMs: undefined,
    completionMs: undefined,
    error: undefined,
    durationMs: undefined,
  }
}

/** Adds scope, key and route to the trace, once they are known. */
export function watchKey({ context }: WatchedRequest, { facts }: Question): void {
  context.scope = facts.scope
  context.key = facts.key
  if (facts.route !== undefined) context.route = facts.route
}

/**
 * Records the store's decision on a claim that was sent at `askedAt`. Only the first decision
 * counts.
 */
export function watchDecision(
  watched: WatchedRequest,
  decision: Decision['kind'],
  askedAt: number,
): void {
  const { context } = watched
  if (context.decision !== undefined) return
  watched.decidedAt = performance.now()
  context.decision = decision
  context.claimMs = watched.decidedAt - askedAt
}

/** Records that the handler has answered or timed out. */
export function watchAnswer(watched: WatchedRequest): void {
  watched.answeredAt = performance.now()
  watched.context.handlerMs = watched.answeredAt - watched.decidedAt
}

/** Records how the attempt ended in the store. */
export function watchEnd(
  { context }: WatchedRequest,
  end: Pick<EndMessage, 'attempt' | 'disposition' | 'outcome' | 'status'>,
  events: number,
): void {
  context.attempt = end.attempt
  context.disposition = end.disposition
  context.outcome = end.outcome
  if (end.status !== undefined) context.status = end.status
  context.events = events
}

/** Ends the trace of a run. The route is read only here, because a router may know it late. */
export function watchOver(watched: WatchedRequest, question: Question, outcome: RunOutcome): void {
  const { context } = watched
  context.route = routeOf(question)
  context.completionMs = performance.now() - watched.answeredAt
  if (outcome.kind === 'failure') {
    context.error = outcome.error
    context.status = outcome.response.status
  } else if (outcome.kind !== 'send') answeredWith(context, outcome)
  requestTrace.end(context)
}

function answeredWith(context: RequestTrace, answer: Answer): void {
  context.status = answer.response.status
  if (answer.kind !== 'problem') return
  context.code = answer.code
  if (answer.cause !== undefined) context.error = answer.cause
}
