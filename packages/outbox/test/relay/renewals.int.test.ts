import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { gate, logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()
const MEGABYTE = 'x'.repeat(1_000_000)

/**
 * A bug: a renewal waited for the relay's own write to end. A write may take 30 seconds, twice as
 * long as a lease.
 */
test.each(['runOnce', 'start'] as const)(
  'a relay whose write waits renews its lease meanwhile (%s)',
  { timeout: 240_000 },
  async (how) => {
    const name = `waits-${how}`
    const failing = gate()
    let started = false
    const relay = createRelay<PoolClient>({
      ...quick,
      log: postgresLog({ client: database.pool({ max: 5 }) }),
      consumers: [
        consumer<PoolClient>({
          name,
          types: [name],
          startAt: 'now',
          async handle() {
            started = true
            await failing.opened
            throw new Error('It is filed, with its megabyte.')
          },
        }),
      ],
    })
    const leasedUntil = async (): Promise<number> => {
      const text = 'select until from oncekey.relays where consumer = $1'
      const [row] = await database.query<{ until: Date }>(text, [name])
      return row?.until.getTime() ?? 0
    }
    const waits = async () =>
      (
        await database.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%advance%'
            and datname = current_database()`,
        )
      ).length > 0
    await relay.runOnce()
    await transact(database.pool(), (_, emit) => emit({ type: name, data: MEGABYTE }))
    const locker = await database.pool().connect()
    const round = how === 'runOnce' ? relay.runOnce() : relay.start()
    await waitFor(() => started, { what: 'the event to be under way' })
    await locker.query('begin')
    await locker.query('select from oncekey.cursors where consumer = $1 for update', [name])
    failing.open()
    try {
      await waitFor(waits, { what: 'the write to wait' })
      for (let renewals = 0; renewals < 3; renewals += 1) {
        const before = await leasedUntil()
        const what = 'the lease to be renewed'
        await waitFor(async () => (await leasedUntil()) > before, { what })
        expect(await waits()).toBe(true)
      }
    } finally {
      await locker.query('rollback')
      locker.release()
      await round
      await relay.stop()
    }
  },
)
