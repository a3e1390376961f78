import { type Consumer, createRelay, type RelayOptions } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import type { PoolClient } from 'pg'
import { logDatabase, quick } from '../databases/log-database.ts'

export const database = logDatabase()
let names = 0

export const nameOf = (what: string): string => {
  names += 1
  return `${what}-${names}`
}

/** Runs a relay with new consumers for as long as `during` takes. */
export async function relaying(
  consumers: readonly Consumer<PoolClient>[],
  during: () => Promise<void>,
  options: Partial<RelayOptions<PoolClient>> = {},
): Promise<void> {
  const log = postgresLog({ client: database.pool() })
  const relay = createRelay<PoolClient>({ ...quick, ...options, log, consumers })
  await relay.runOnce()
  relay.start()
  try {
    await during()
  } finally {
    await relay.stop()
  }
}

export const now = { startAt: 'now', backoff: () => 5 } as const
