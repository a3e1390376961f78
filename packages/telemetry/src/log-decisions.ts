import type { RequestTrace } from '@oncekey/core'
import { keyDigest } from './key-digest.ts'
import { requestOutcome } from './outcomes.ts'
import { watch } from './watch.ts'

/** pino, or anything that takes an object and a text at these levels, `console` included. */
export interface Logger {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

export interface LogOptions {
  /** Whether the key itself and its scope are logged, and not only a digest of both. @default false */
  readonly keys?: boolean
}

/**
 * One line for each request: route, decision, outcome, durations. Those that failed on our side, and
 * those whose writes were undone, are warnings. Returns what stops it.
 *
 * @example
 * ```ts
 * logDecisions(pino())
 * ```
 */
export function logDecisions(logger: Logger, { keys = false }: LogOptions = {}): () => void {
  return watch('oncekey:request', {
    end(trace) {
      const outcome = requestOutcome(trace)
      const level = isTrouble(trace, outcome) ? 'warn' : 'info'
      logger[level](fieldsOf(trace, outcome, keys), `${trace.route ?? trace.namespace} ${outcome}`)
    },
  })
}

function isTrouble({ error, outcome }: RequestTrace, shown: string): boolean {
  return error !== undefined || outcome === 'failed' || shown === 'undone'
}

function fieldsOf(trace: RequestTrace, outcome: string, keys: boolean): object {
  const { namespace, scope, key, route, decision, status, attempt, events, error } = trace
  return {
    namespace,
    route,
    ...(keys ? { scope, key } : { keyDigest: keyDigest(scope, key) }),
    decision,
    outcome,
    status,
    attempt,
    events,
    durationMs: rounded(trace.durationMs),
    claimMs: rounded(trace.claimMs),
    handlerMs: rounded(trace.handlerMs),
    completionMs: rounded(trace.completionMs),
    // `err` is what pino's serializer knows.
    ...(error !== undefined && { err: error }),
  }
}

function rounded(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 100) / 100
}
