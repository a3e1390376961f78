import { createHash, randomUUID } from 'node:crypto'
import type { Claim } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { type ClientBase, Pool } from 'pg'
import { RECORD_FINGERPRINT, recordKey } from '../filled-records.ts'
import { answer } from '../verbs.ts'

let url = ''
let store: ReturnType<typeof postgresStore<ClientBase>>

const verbs = {
  open(connectionString: string): void {
    url = connectionString
    store = postgresStore({ client: new Pool({ connectionString: url, pipeline: true }) })
  },

  /** The times of claiming and completing fresh keys, one after the other. Milliseconds. */
  async fresh(requests: number): Promise<{ begin: number[]; complete: number[] }> {
    const begin: number[] = []
    const complete: number[] = []
    for (let index = 0; index < requests; index += 1) {
      const startedAt = performance.now()
      const decision = await store.begin(claimOf(randomUUID(), 'account-1'))
      begin.push(performance.now() - startedAt)
      if (decision.kind !== 'run') throw new Error(`a fresh key was answered ${decision.kind}`)
      const completedAt = performance.now()
      await decision.attempt.complete({ response: RESPONSE, events: [], writes: 'keep' })
      complete.push(performance.now() - completedAt)
    }
    return { begin, complete }
  },

  /** The same for replays, of records that `fillRecords` has made. */
  async replay(requests: number, records: number): Promise<number[]> {
    const begin: number[] = []
    for (let index = 0; index < requests; index += 1) {
      const { scope, key } = recordKey(1 + Math.floor(Math.random() * records), md5)
      const startedAt = performance.now()
      const decision = await store.begin(claimOf(key, scope))
      begin.push(performance.now() - startedAt)
      if (decision.kind !== 'replay')
        throw new Error(`a finished key was answered ${decision.kind}`)
    }
    return begin
  },
}

export type StoreTimer = typeof verbs

answer(verbs)

/** A signal that never aborts. */
const { signal } = new AbortController()

function claimOf(key: string, scope: string): Claim {
  return {
    namespace: 'http',
    scope,
    key,
    fingerprints: [RECORD_FINGERPRINT],
    token: randomUUID(),
    leaseMs: 60_000,
    waitMs: 0,
    whenUnknown: 'retake',
    signal,
  }
}

const RESPONSE = {
  status: 201,
  headers: [['content-type', 'application/json; charset=utf-8']],
  body: Buffer.from(JSON.stringify({ id: '12345', customer: 'customer-17', state: 'placed' })),
  seal: null,
} as const

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
