import { postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

/** Locks in this database for which somebody waits. Other tests have theirs on the same server. */
const WAITS = `select from pg_locks l join pg_database d on d.oid = l.database
  where d.datname = current_database() and not l.granted`

// A bug: the partition was read in a snapshot from before the lock, and was emptied although events
// had been committed since.
test.each(['repeatable read', 'serializable'])(
  'a session set to %s deletes no event that was committed while it waited for the partition',
  async (isolation) => {
    const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
    const log = postgresLog({ client: database.pool({ options }) })
    const writers = database.pool()
    const put = `insert into oncekey.outbox_PART
        (part, slot, id, type, source, ordering_key, data, headers, occurred_at)
      values (PART, 0, gen_random_uuid(), 't', '/', 'k', '1', '{}', now())`
    const [day] = await database.query<{ part: string }>(
      'select ((floor(extract(epoch from clock_timestamp()) / 86400)::bigint + 4) % 8)::text as part',
    )
    const text = put.replaceAll('PART', String(day?.part))
    const count = async () => (await database.query('select from oncekey.outbox')).length
    // The statement waits only 50 ms for the lock, so the test tries until one is in time.
    for (let tries = 0; tries < 20; tries += 1) {
      await database.query('truncate oncekey.outbox')
      await database.query(text)
      const writer = await writers.connect()
      await writer.query('begin')
      await writer.query(text)
      let isOver = false
      const maintained = log.maintain().finally(() => {
        isOver = true
      })
      const isWaiting = async () => isOver || (await writer.query(WAITS)).rows.length > 0
      await waitFor(isWaiting, { what: 'the lock to be waited for', intervalMs: 1 })
      await writer.query('commit')
      writer.release()
      await maintained
      expect(await count()).toBe(2)
    }
  },
)
