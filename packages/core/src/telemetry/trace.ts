import { channel } from 'node:diagnostics_channel'

/** The properties that the context of every trace has, beside the facts of its kind. */
export interface TracedContext {
  /**
   * Set by a subscriber of `start`. The work runs inside it, so that a span or an AsyncLocalStorage
   * context is current while the work runs.
   */
  within?: (<T>(work: () => T) => T) | undefined
  /** When the work began, by `performance.now()`. Set before `start` is published. */
  startedAt?: number | undefined
  /** The error of the work, set before `error` and `asyncEnd` are published. */
  error?: unknown
  /** From `start` to `asyncEnd`. Milliseconds. */
  durationMs?: number | undefined
}

/**
 * A kind of work published on a TracingChannel of Node (`tracing:NAME:start`, `:end`,
 * `:asyncStart`, `:asyncEnd`, `:error`). All messages of one piece of work have the same context
 * object, which is complete at `asyncEnd`.
 */
export interface Trace<Context extends TracedContext> {
  /** Whether the trace has a subscriber. Without one, no context is made. */
  readonly isWatched: boolean
  /**
   * Publishes `start`, runs the work inside the contexts that subscribers have bound, and publishes
   * `end`.
   */
  start<T>(context: Context, work: () => T): T
  /** Publishes `error` if the context has one, and then `asyncEnd`. */
  end(context: Context): void
  /**
   * Publishes `start` and `end` around work that lasts until its promise resolves or rejects. A
   * rejection becomes the error of the context.
   */
  around<T>(context: Context, work: () => Promise<T>): Promise<T>
}

/** Returns the trace with this name, such as `oncekey:request`. */
export function traceOf<Context extends TracedContext>(name: string): Trace<Context> {
  // Opened by name because not every runtime has `tracingChannel()`; these are the channels it
  // would create.
  const of = (event: string) => channel(`tracing:${name}:${event}`)
  const channels = {
    start: of('start'),
    end: of('end'),
    asyncStart: of('asyncStart'),
    asyncEnd: of('asyncEnd'),
    error: of('error'),
  }

  const trace: Trace<Context> = {
    get isWatched() {
      const { start, end, asyncStart, asyncEnd, error } = channels
      return (
        asyncEnd.hasSubscribers ||
        start.hasSubscribers ||
        end.hasSubscribers ||
        asyncStart.hasSubscribers ||
        error.hasSubscribers
      )
    },
    start(context, work) {
      // On the context: an entry of a WeakMap costs the collector more than the rest of the trace.
      context.startedAt = performance.now()
      const started = channels.start.runStores(context, () =>
        context.within === undefined ? work() : context.within(work),
      )
      channels.end.publish(context)
      return started
    },
    end(context) {
      const endedAt = performance.now()
      context.durationMs = endedAt - (context.startedAt ?? endedAt)
      if (context.error !== undefined) channels.error.publish(context)
      channels.asyncStart.publish(context)
      channels.asyncEnd.publish(context)
    },
    around: (context, work) =>
      trace.start(context, async () => {
        try {
          return await work()
        } catch (error) {
          context.error = error
          throw error
        } finally {
          trace.end(context)
        }
      }),
  }
  return trace
}
