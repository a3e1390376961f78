import type { RequestTrace } from '@oncekey/core'
import { keyDigest } from './key-digest.ts'
import { requestOutcome } from './outcomes.ts'
import { watch } from './watch.ts'

/** pino, or any logger whose methods take an object and a text, including `console`. */
export interface Logger {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

export interface LogOptions {
  /** Whether to log the key and its scope, and not only a digest of both. @default false */
  readonly keys?: boolean
}

/**
 * Logs one line for each request: route, decision, outcome, durations. Requests that failed on our
 * side, and those whose writes were undone, are warnings. Returns a function that stops the
 * logging.
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
      const text = `${trace.route ?? trace.namespace} ${outcome}`
      return logger[level](fieldsOf(trace, outcome, keys), text)
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
    // pino's serializer recognizes the name `err`.
    ...(error !== undefined && { err: error }),
  }
}

function rounded(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 100) / 100
}
