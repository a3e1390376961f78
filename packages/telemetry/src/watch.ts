import { tracingChannel } from 'node:diagnostics_channel'
import type { Traces } from './traces.ts'

/** Callbacks for the start of a trace, and for its end, when its context is complete. */
export interface Watcher<Context extends object> {
  readonly start?: (context: Context) => void
  readonly end: (context: Context) => void
}

/** Subscribes to a TracingChannel of Oncekey. Returns a function that unsubscribes. */
export function watch<Name extends keyof Traces>(
  name: Name,
  { start, end }: Watcher<Traces[Name]>,
): () => void {
  const { start: starts, asyncEnd: ends } = tracingChannel(name)
  const onStart =
    start === undefined ? undefined : (context: unknown) => start(context as Traces[Name])
  const onEnd = (context: unknown): void => end(context as Traces[Name])
  if (onStart !== undefined) starts.subscribe(onStart)
  ends.subscribe(onEnd)
  return () => {
    if (onStart !== undefined) starts.unsubscribe(onStart)
    ends.unsubscribe(onEnd)
  }
}
