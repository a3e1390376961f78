import { randomUUID } from 'node:crypto'
import {
  type Attempt,
  type Claim,
  type Completion,
  type Decision,
  type MemoryStoreOptions,
  type MemoryTransaction,
  memoryStore,
} from '@oncekey/core'

// Only what is specific to the memory store; packages/conformance runs the store contract on it.

export const HOUR_MS = 60 * 60 * 1000

export type Store = ReturnType<typeof memoryStore>

export function withClock(options: MemoryStoreOptions = {}): {
  store: Store
  startedAt: number
  advance: (ms: number) => void
} {
  const startedAt = Date.UTC(2026, 0, 1)
  let time = startedAt
  const advance = (ms: number): void => {
    time += ms
  }
  return { store: memoryStore({ ...options, now: () => time }), startedAt, advance }
}

export function claim(differently?: Partial<Claim>): Claim {
  return {
    namespace: 'http',
    scope: 'customer-1',
    key: randomUUID(),
    fingerprints: ['json1:a'],
    token: randomUUID(),
    leaseMs: 60_000,
    waitMs: 0,
    whenUnknown: 'retake',
    signal: new AbortController().signal,
    ...differently,
  }
}

export function retry(first: Claim, differently?: Partial<Claim>): Claim {
  return { ...first, token: randomUUID(), ...differently }
}

export function completion(differently?: Partial<Completion>): Completion {
  const response = { status: 200, headers: [], body: new Uint8Array(2), seal: null }
  return { response, events: [], writes: 'keep', ...differently }
}

export async function run(store: Store, asked: Claim): Promise<Attempt<MemoryTransaction>> {
  return attemptOf(await store.begin(asked))
}

export function attemptOf(decision: Decision<MemoryTransaction>): Attempt<MemoryTransaction> {
  if (decision.kind !== 'run') throw new Error(`The answer is ${decision.kind}.`)
  return decision.attempt
}
