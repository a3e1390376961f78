import { OptionsError } from '../errors/errors.ts'
import { messageOf } from '../errors/message-of.ts'
import { warnOnce } from './channels.ts'

/** Returns the W3C `traceparent` of the trace that the calling code runs in, or `undefined`. */
export type ActiveTraceparent = () => string | undefined

let active: ActiveTraceparent | undefined

/**
 * Makes events carry the trace that is active where they are emitted, instead of the request's
 * `traceparent` header. A tracing library calls it once at its start. Returns a function that
 * undoes it.
 *
 * @example
 * ```ts
 * import { propagation, context } from '@opentelemetry/api'
 *
 * provideTraceparent(() => {
 *   const carrier: { traceparent?: string } = {}
 *   propagation.inject(context.active(), carrier)
 *   return carrier.traceparent
 * })
 * ```
 */
export function provideTraceparent(source: ActiveTraceparent): () => void {
  if (typeof source !== 'function') {
    throw new OptionsError('provideTraceparent() takes a function that returns a traceparent.')
  }
  const before = active
  active = source
  return () => {
    if (active === source) active = before
  }
}

/**
 * The active trace, or else the request's. An invalid traceparent is ignored, and so is a source
 * that throws: an event is worth more than its trace, and whoever emits one is a handler in the
 * middle of its work.
 */
export function currentTraceparent(ofRequest: string | undefined): string | undefined {
  const now = activeTraceparent()
  return now !== undefined && isTraceparent(now) ? now : ofRequest
}

function activeTraceparent(): string | undefined {
  try {
    return active?.()
  } catch (error) {
    warnOnce(
      'traceparent',
      `What provideTraceparent() was given threw, and events carry the trace of their request instead: ${messageOf(error)}. This is told once.`,
    )
    return undefined
  }
}

/** W3C Trace Context level 2. */
export function isTraceparent(value: string): boolean {
  return /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(value)
}
