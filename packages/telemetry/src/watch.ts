import { tracingChannel } from 'node:diagnostics_channel'
import { messageOf, warnOnce } from '@oncekey/core'
import type { Traces } from './traces.ts'

/** Callbacks for the start of a trace, and for its end, when its context is complete. */
export interface Watcher<Context extends object> {
  readonly start?: (context: Context) => void
  readonly end: (context: Context) => void
}

/**
 * Subscribes to a TracingChannel of Oncekey. Returns a function that unsubscribes.
 *
 * What a callback throws is told once, as a warning, and so is the rejection of a promise that it
 * returns. Node would end the process with either, and a logger throws, or rejects, when its
 * transport is gone.
 */
export function watch<Name extends keyof Traces>(
  name: Name,
  { start, end }: Watcher<Traces[Name]>,
): () => void {
  const { start: starts, asyncEnd: ends } = tracingChannel(name)
  const onStart = start === undefined ? undefined : guarded(name, start)
  const onEnd = guarded(name, end)
  if (onStart !== undefined) starts.subscribe(onStart)
  ends.subscribe(onEnd)
  return () => {
    if (onStart !== undefined) starts.unsubscribe(onStart)
    ends.unsubscribe(onEnd)
  }
}

function guarded<Context>(name: string, call: (context: Context) => void) {
  const threw = (error: unknown): void =>
    warnOnce(
      `telemetry:${name}`,
      `Telemetry of ${name} threw, and goes on without this trace: ${messageOf(error)}. This is told once.`,
    )
  return (context: unknown): void => {
    try {
      const returned: unknown = call(context as Context)
      if (isThenable(returned)) returned.then(undefined, threw)
    } catch (error) {
      threw(error)
    }
  }
}

/** Also a promise of another realm, as a logger in a sandbox of a test runner returns. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
