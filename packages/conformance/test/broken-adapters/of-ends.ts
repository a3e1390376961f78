import { AsyncResource } from 'node:async_hooks'
import type { HandlerContext } from '@oncekey/core'
import { type BrokenAdapter, changed, runUnclaimed } from './broken-adapter.ts'
import { json } from './steps.ts'

/** Adapters that give handlers less than promised, or end their attempts wrongly. */
export const brokenEnds: readonly BrokenAdapter[] = [
  {
    fault: 'has dispositions of its own',
    steps: () => ({ options: (options) => ({ ...options, disposition: otherWayRound() }) }),
    caughtBy: [
      /^a response of status: \d+ (is|with Retry-After)/,
      'a route that streams: leaves its key free',
      'events that a response undoes: are reported on a diagnostics channel every time',
      'events that a response undoes: cause one warning per route',
      'a handler that fails: undoes',
    ],
  },
  {
    fault: 'ignores the dispositions of the app',
    steps: () => ({ options: ({ disposition: _, ...options }) => options }),
    caughtBy: [/^a response of status: \d+ where the app says so/],
  },
  {
    fault: 'ignores keep() and release()',
    steps: () => ({ context: (context) => changed(context, { keep() {}, release() {} }) }),
    caughtBy: [
      'a response of status: 402 after keep()',
      'a response of status: 500 after keep()',
      'a response of status: 429 after keep()',
      'a response of status: 200 after release()',
      'a response of status: 402 after release()',
      'the context of a handler: throws attempt-over for keep()',
      'the context of a handler: throws attempt-over for release()',
    ],
  },
  {
    fault: 'ignores release() in lease mode',
    mode: 'lease',
    steps: () => ({ context: (context) => changed(context, { release() {} }) }),
    caughtBy: [
      /^a response of status: \d+ after release/,
      'an outcome that is unknown: is not one after',
    ],
  },
  {
    fault: 'drops events',
    steps: () => ({ context: (context) => changed(context, { emit() {} }) }),
    caughtBy: [
      'the context of a handler: throws attempt-over for emit()',
      'the context of a handler: refuses an event',
      'the context of a handler: commits events',
      'events that a response undoes: are reported on a diagnostics channel every time',
      'a route that does not require a key: commits',
      'a client that hangs up: while the handler',
      'a replay: leaves writes',
      'a route that streams: has committed',
    ],
  },
  {
    fault: 'emits an event of its own for every request',
    steps: () => ({
      context(context) {
        context.emit({ type: 'request.seen' })
        return context
      },
    }),
    caughtBy: [
      'events that a response undoes: are not reported if nothing was emitted, or everything kept',
    ],
  },
  {
    fault: 'counts every attempt as one more, and derives keys from chance',
    steps: () => ({
      context: (context) =>
        changed(context, { attempt: context.attempt + 1, deriveKey: () => `${Math.random()}` }),
    }),
    caughtBy: [
      'the context of a handler: has the key, the scope and the attempt',
      'the context of a handler: derives keys',
      'a route that does not require a key: gives the handler',
      'an outcome that is unknown: does not exist in transaction mode',
      'a handler that fails: because',
    ],
  },
  {
    fault: 'gives a transaction that is none',
    steps: () => ({ context: noTransaction }),
    caughtBy: [
      'the context of a handler: returns the same transaction every time, which sees its own writes',
      'the context of a handler: gives a transaction that is over',
      'the context of a handler: throws transaction-over',
      'a route that streams: has no transaction',
    ],
  },
  {
    fault: 'tells a handler that there is no connection as an error like any other',
    steps: () => ({
      context: (context) =>
        changed(context, {
          transaction: () =>
            context.transaction().catch(() => Promise.reject(new Error('no transaction'))),
        }),
      verdict: (verdict) =>
        verdict.kind === 'problem' && verdict.code === 'store-busy' ? { kind: 'send' } : verdict,
    }),
    caughtBy: ['a store that: has no connection left'],
  },
  {
    fault: 'frees the key of every handler that got no connection',
    mode: 'lease',
    steps: () => ({
      context: (context) =>
        changed(context, {
          transaction: () =>
            context.transaction().catch((error) => {
              context.release()
              throw error
            }),
        }),
    }),
    caughtBy: ['a store that: had no connection left for a handler that went on'],
  },
  {
    fault: 'says when to come back, whatever the answer is',
    steps: () => ({
      answer: (response) => ({ ...response, headers: [...response.headers, ['retry-after', '1']] }),
    }),
    caughtBy: ['a route that does not require a key: is not to be sent again without a key'],
  },
  {
    fault: 'gives a transaction where the store has none',
    mode: 'no transactions',
    steps: () => ({ context: noTransaction }),
    caughtBy: ['the context of a handler: throws transaction-unsupported'],
  },
  {
    fault: 'takes an error for an answer',
    steps: () => ({ onThrow: () => json(200, {}) }),
    caughtBy: ['a handler that fails: '],
  },
  {
    fault: 'has no time limit',
    steps: () => ({ options: (options) => ({ ...options, handlerTimeoutMs: 60_000 }) }),
    caughtBy: ['a handler that takes too long: ', 'a problem: of code handler-timeout'],
  },
  {
    fault: 'asks the engine in another context than the request’s',
    steps() {
      const elsewhere = new AsyncResource('elsewhere')
      return {
        begin: (engine, request) =>
          elsewhere.runInAsyncScope(() => engine.begin(request), undefined),
      }
    },
    caughtBy: ['a handler that takes too long: has its listeners'],
  },
  {
    fault: 'tries again whatever it is told to do about unknown outcomes',
    mode: 'lease',
    steps: () => ({ options: (options) => ({ ...options, whenUnknown: 'retake' }) }),
    caughtBy: [
      'an outcome that is unknown: is held with `hold`: 409',
      'an outcome that is unknown: is held if the reconcile function returns `hold`',
      'an outcome that is unknown: is passed to a reconcile function with its key and derived keys',
      'an outcome that is unknown: becomes the response of the reconcile function, which is stored and replayed',
      'an outcome that is unknown: stays unknown if the reconcile function throws: the app responds, nothing runs',
    ],
  },
  {
    fault: 'holds every unknown outcome',
    mode: 'lease',
    steps: () => ({ options: (options) => ({ ...options, whenUnknown: 'hold' }) }),
    caughtBy: [
      'an outcome that is unknown: is tried again by default',
      'a handler that fails: because',
    ],
  },
  {
    fault: 'runs again where the result is gone',
    mode: 'lease',
    steps: () => ({
      async begin(engine, request) {
        const begun = await engine.begin(request)
        const isGone = begun.kind === 'problem' && begun.code === 'result-gone'
        return isGone ? runUnclaimed(engine, request) : begun
      },
    }),
    caughtBy: [
      'a key whose result is no longer kept: answers',
      'a response that is too large to be kept: in lease mode, of bytes',
      'a route that streams: is on record',
      'a route that streams: also handles a response that is not a stream',
    ],
  },
  {
    fault: 'sends the answer whatever became of the commit',
    steps: () => ({ verdict: () => ({ kind: 'send' }) }),
    caughtBy: ['a commit that: ', 'a problem: of code commit-failed'],
  },
  {
    fault: 'never aborts a signal',
    steps() {
      const { signal } = new AbortController()
      return { context: (context) => changed(context, { signal }) }
    },
    caughtBy: [
      'a commit that: fails aborts the signal',
      'a route that streams: is stopped, and its signal aborts',
    ],
  },
  {
    fault: 'drains without waiting, and goes on claiming',
    steps: () => ({ drain: () => async () => 0 }),
    caughtBy: [/^a server that drains: (lets|says|refuses)/],
  },
  {
    fault: 'lets its server take a connection for idle while the response is stored',
    steps: () => ({
      beforeCompletion(_, { res }) {
        res.finished = true
      },
      verdict(verdict, { res }) {
        res.finished = false
        return verdict
      },
    }),
    caughtBy: ['a server that drains: sends a response'],
  },
  {
    fault: 'keeps secrets as they are',
    steps: () => ({ options: ({ seal: _, redact: __, ...options }) => options }),
    caughtBy: [
      'secrets in a response: are not readable',
      'secrets in a response: are an error',
      'secrets in a response: are sent once and not stored if `redact` removes them',
      'secrets in a response: are kept from the store',
    ],
  },
]

/** Undoes 2xx and 3xx, keeps 4xx with its writes, and stores what should be retried. */
function otherWayRound(): Record<number, 'commit' | 'refuse' | 'retry'> {
  const of = (status: number) => (status < 400 ? 'retry' : 'commit')
  const statuses = Array.from({ length: 400 }, (_, n) => n + 200)
  return Object.fromEntries(statuses.map((status) => [status, of(status)]))
}

function noTransaction(context: HandlerContext): HandlerContext {
  const none = { set() {}, get: () => undefined }
  return changed(context, { transaction: async () => none })
}
