import type { TakenSlot } from '@oncekey/core'
import { postgresLog } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { leaseSlots } from '../../src/log/statements/slots.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

test('a renewal writes one row, that of its relay, and no cursor', async () => {
  // A pool with one connection, so that this connection reports all counts when it is asked to.
  const pool = database.pool({ max: 1 })
  const log = postgresLog({ client: pool })
  const held = new Map<string, TakenSlot[]>()
  const lease = async (relay: string) => {
    const holding = held.get(relay) ?? []
    const lease = await log.lease({ consumer: 'email', relay, leaseMs: 60_000, holding })
    const kept = holding.filter(({ slot }) => !lease.lost.includes(slot))
    held.set(relay, [...kept, ...lease.taken])
  }
  const updated = async (): Promise<Record<string, number>> => {
    await pool.query('select pg_stat_force_next_flush()')
    const { rows } = await pool.query<{ relname: string; n_tup_upd: string }>(
      `select relname, n_tup_upd from pg_stat_all_tables
         where relname in ('consumers', 'cursors', 'relays') and schemaname = 'oncekey'`,
    )
    return Object.fromEntries(rows.map((row) => [row.relname, Number(row.n_tup_upd)]))
  }
  await log.subscribe({ consumer: 'email', types: null, startAt: 'now' })
  await lease('one')
  // The other relay holds nothing at first, and then its share.
  await lease('two')
  for (const share of [64, 32]) {
    const spare = held.get('one')?.splice(share) ?? []
    await log.release({ consumer: 'email', relay: 'one', slots: spare, leaving: false })
    await lease('two')
    const before = await updated()
    for (let renewals = 0; renewals < 10; renewals += 1) {
      await lease('one')
      await lease('two')
    }
    expect(await updated()).toEqual({ ...before, relays: (before.relays ?? 0) + 20 })
  }
  expect([held.get('one')?.length, held.get('two')?.length]).toEqual([32, 32])
})

// A bug: a relay that asked in a transaction begun earlier, as on a cold connection, took another's
// new lease for one of a clock that was put back, and took its slots as those of a dead relay.
test('a lease that is renewed while another relay asks stays', async () => {
  const pool = database.pool({ max: 2 })
  const log = postgresLog({ client: pool })
  const consumer = 'renewed meanwhile'
  await log.subscribe({ consumer, types: null, startAt: 'now' })
  const asking = await pool.connect()
  try {
    await asking.query('begin')
    await asking.query('select now()')
    const { taken } = await log.lease({ consumer, relay: 'one', leaseMs: 60_000, holding: [] })
    expect(taken).toHaveLength(64)
    const { rows } = await asking.query<{ reply: string }>(
      `select oncekey.${LEASE_SLOTS}($1, 'two', 60000, '[]', false) as reply`,
      [consumer],
    )
    expect(JSON.parse(rows[0]?.reply ?? '')).toMatchObject({ relays: 2, taken: [] })
  } finally {
    await asking.query('commit')
    asking.release()
  }
})

const LEASE_SLOTS = /\.(lease_slots_\d+)\(/.exec(
  leaseSlots('oncekey')({ consumer: '', relay: '', leaseMs: 1, holding: [] }).text,
)?.[1]
