import { type Attempt, createEngine, type EngineRequest, memoryStore } from '@oncekey/core'
import { type Watched, watchers } from '../request-costs/watchers.ts'
import { answer, cpuMicros } from '../verbs.ts'

let around: (work: () => Promise<void>) => Promise<void> = (work) => work()
let sent = 0

const verbs = {
  watch(watched: Watched): void {
    around = watchers[watched]() ?? around
  },

  /** Has requests decided and completed, one after the other. Returns the µs that one takes. */
  async send(requests: number): Promise<number> {
    globalThis.gc?.()
    const before = cpuMicros()
    for (let left = requests; left > 0; left -= 1) await around(once)
    return (cpuMicros() - before) / requests
  },
}

export type WatchedRequests = typeof verbs

answer(verbs)

/**
 * A store that remembers nothing, so that what requests leave behind is collected while it is
 * young, as it is where records are in a database.
 */
const forgetful = { ...memoryStore(), begin: async () => ({ kind: 'run' as const, attempt }) }
const attempt: Attempt<never> = {
  number: 1,
  transaction: () => Promise.reject(new Error('Nothing asks for it.')),
  complete: async () => 'stored',
  release: async () => {},
  abandon: async () => {},
  renew: async () => 'held',
}
const engine = createEngine({ store: forgetful })

async function once(): Promise<void> {
  sent += 1
  const begun = await engine.begin(request(`key-${sent}`))
  if (begun.kind !== 'run') throw new Error(`a key was answered with ${begun.kind}`)
  await begun.run.complete({ status: 201, headers: [['content-type', 'text/plain']], body: BODY })
}

function request(key: string): EngineRequest {
  return {
    method: 'POST',
    target: '/orders',
    scope: 'account-1',
    route: () => '/orders',
    header: (name) => (name === 'idempotency-key' ? [key] : []),
    fingerprintInput: () => ({
      method: 'POST',
      target: '/orders',
      contentType: 'application/json',
      body: { kind: 'parsed', value: { customer: 'customer-17', cents: 4_900 } },
    }),
  }
}

const BODY = Buffer.from('placed')
