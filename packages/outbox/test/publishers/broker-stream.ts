import { type Consumer, createRelay, deadLetters, type RelayOptions } from '@oncekey/outbox'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { expect } from 'vitest'
import { quick } from '../databases/log-database.ts'

/** The body of a message in these tests: its ordering key, and its number within that key. */
export interface Numbered {
  readonly id: string
  readonly key: string
  readonly n: number
}

/** Settings that bring a publisher through an outage quickly. */
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

/** Runs a relay with new publishers for as long as `during` takes. */
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

/** Waits until a publisher has this many dead letters. */
export async function deadOf(pool: Pool, origin: string, count: number) {
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  return await waitFor(
    async () => {
      const { items } = await dead.list({ origin })
      return items.length === count && items
    },
    { what: 'the dead letters', timeoutMs: 30_000 },
  )
}

/** Waits until an event of a publisher has failed because its destination is missing. */
export async function missingOnFile(pool: Pool, origin: string): Promise<void> {
  const { deadLetters: source } = postgresLog({ client: pool })
  await waitFor(
    async () => {
      const { items } = await source.listRetrying({ origin }, { limit: 1 })
      return items[0]?.error?.name === 'MissingDestinationError'
    },
    { what: 'the failure on file', timeoutMs: 30_000 },
  )
}

/**
 * Waits until a publisher has nothing to send. A test that then loses answers sees a new event sent
 * first: otherwise one whose answer is still missing could be tried again and again instead.
 */
export async function allConfirmed(pool: Pool, name: string): Promise<void> {
  const log = postgresLog({ client: pool })
  await waitFor(
    async () => {
      const { items } = await log.deadLetters.listRetrying({ origin: name }, { limit: 1 })
      return items.length === 0 && (await log.lag(name)).events === 0
    },
    { what: 'all to be confirmed', timeoutMs: 60_000 },
  )
}

/** The number of distinct events. */
export function distinct(messages: readonly Numbered[]): number {
  return new Set(messages.map(({ id }) => id)).size
}

/** Expects every event of every key, and the first copies of each key's events in order. */
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
