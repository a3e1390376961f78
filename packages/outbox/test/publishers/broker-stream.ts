import { type Consumer, createRelay, type RelayOptions } from '@oncekey/outbox'
import { postgresLog, transact } from '@oncekey/postgres'
import type { Pool, PoolClient } from 'pg'
import { expect } from 'vitest'
import { quick } from '../databases/log-database.ts'

/** What a message of these tests says: which of its ordering key it is. */
export interface Numbered {
  readonly id: string
  readonly key: string
  readonly n: number
}

/** Settings with which a publisher is soon done with an outage. */
export const impatient = { startAt: 'now', backoff: () => 20, attemptTimeoutMs: 5_000 } as const

/** Commits `each` numbered events for every key, in turn. */
export async function emitNumbered(
  pool: Pool,
  keys: readonly string[],
  each: number,
  from = 0,
): Promise<void> {
  for (let n = from; n < from + each; n += 1) {
    await transact(pool, (_, emit) => {
      for (const key of keys) emit({ type: 'order.numbered', subject: key, data: { key, n } })
    })
  }
}

/** Runs a relay over publishers that begin now, for as long as `during` takes. */
export async function relaying<Result>(
  pool: Pool,
  consumers: readonly Consumer<PoolClient>[],
  during: () => Promise<Result>,
  options: Partial<RelayOptions<PoolClient>> = {},
): Promise<Result> {
  const relay = createRelay<PoolClient>({
    ...quick,
    ...options,
    log: postgresLog({ client: pool }),
    consumers,
  })
  await relay.runOnce()
  relay.start()
  try {
    return await during()
  } finally {
    await relay.stop()
  }
}

/** How many different events there are. */
export function distinct(messages: readonly Numbered[]): number {
  return new Set(messages.map(({ id }) => id)).size
}

/** Every event of every key is there, and the first copies of each key's are in order. */
export function expectAllInOrder(
  messages: readonly Numbered[],
  keys: readonly string[],
  each: number,
): void {
  const seen = new Set<string>()
  const first = messages.filter(({ id }) => !seen.has(id) && seen.add(id))
  for (const key of keys) {
    const numbers = first.filter((message) => message.key === key).map(({ n }) => n)
    expect(numbers).toEqual(Array.from({ length: each }, (_, n) => n))
  }
}
