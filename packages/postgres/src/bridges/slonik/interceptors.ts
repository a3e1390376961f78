import { AsyncLocalStorage } from 'node:async_hooks'

/** The configuration of a pool, which Slonik reads anew for each statement. */
export interface SlonikConfiguration {
  interceptors?: readonly Interceptor[]
}

interface Interceptor {
  readonly name: string
  readonly [hook: string]: unknown
}

/** Chooses which interceptors of a pool a call has. */
export interface Interceptors {
  /** For a statement of ours: an interceptor may rename columns or put a result in its place. */
  none<T>(call: () => Promise<T>): Promise<T>
  /** For the opening of our transaction: all but the hook that would open it on another pool. */
  opening<T>(call: () => Promise<T>): Promise<T>
  /**
   * For a statement of a handler: all, and behind them one that calls `check`, which throws if the
   * transaction is over. Interceptors can take their time.
   */
  watched<T>(check: () => void, call: () => Promise<T>): Promise<T>
}

type Choice = (users: readonly Interceptor[]) => readonly Interceptor[]

const choice = new AsyncLocalStorage<Choice>()
const known = new WeakSet<object>()

export function interceptorsOf(configuration: SlonikConfiguration): Interceptors {
  if (!known.has(configuration)) {
    let users = configuration.interceptors ?? []
    Object.defineProperty(configuration, 'interceptors', {
      configurable: true,
      enumerable: true,
      get: () => choice.getStore()?.(users) ?? users,
      set(value: readonly Interceptor[]) {
        users = value
      },
    })
    known.add(configuration)
  }
  return {
    none: (call) => choice.run(() => [], call),
    opening: (call) => choice.run((users) => users.map(onThisPool), call),
    watched: (check, call) => choice.run((users) => [...users, watch(check)], call),
  }
}

function onThisPool({ beforePoolConnection: _, ...others }: Interceptor): Interceptor {
  return others as Interceptor
}

/** A stream has only the first of the two hooks; for others the second is the last. */
function watch(check: () => void): Interceptor {
  return {
    name: 'oncekey',
    transformQuery(_: unknown, query: unknown) {
      check()
      return query
    },
    beforeQueryExecution() {
      check()
      return null
    },
  }
}
