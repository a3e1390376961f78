import type { EventLog } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'

const database = logDatabase()

// A bug: two hundred idle consumers wrote 5,186 rows a second: their cursors, and a lease for each
// slot.
test('an idle consumer writes no cursor and renews all of its leases with one row', async () => {
  const log: EventLog<PoolClient> = postgresLog({ client: database.pool() })
  let moves = 0
  const relay = createRelay<PoolClient>({
    log: {
      ...log,
      advance(move) {
        moves += 1
        return log.advance(move)
      },
    },
    consumers: [consumer<PoolClient>({ name: 'idle', types: ['wanted'], handle() {} })],
  })
  const versions = () =>
    database.query('select slot, xmin::text, ctid::text from oncekey.cursors order by slot')
  await relay.runOnce()
  const before = await versions()
  moves = 0
  for (let round = 0; round < 5; round += 1) await relay.runOnce()
  expect(moves).toBe(0)
  expect(await versions()).toEqual(before)

  // The cursors pass the events of other types, and are written.
  await database.emit('of-others')
  await relay.runOnce()
  expect(moves).toBe(1)
  await relay.stop()
})
