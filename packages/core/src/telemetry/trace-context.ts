import { OptionsError } from '../errors.ts'

/** Says in which trace the code that asks runs now, as a W3C `traceparent`; `undefined` where in none. */
export type ActiveTraceparent = () => string | undefined

let active: ActiveTraceparent | undefined

/**
 * Lets events carry the trace that is active where they are emitted, instead of the header that the
 * request came with: what a tracing library calls once, at its start. Returns what takes it back.
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

/** The active trace, else that of the request. What is no traceparent is not taken for one. */
export function currentTraceparent(ofRequest: string | undefined): string | undefined {
  const now = active?.()
  return now !== undefined && isTraceparent(now) ? now : ofRequest
}

/** W3C Trace Context level 2. */
export function isTraceparent(value: string): boolean {
  return /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(value)
}
