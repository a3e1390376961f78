import { describeStore } from '@oncekey/conformance'
import type { OutboxEvent } from '@oncekey/core'
import { migrate, postgresStore, purge } from '@oncekey/postgres'
import { afterAll, beforeAll, describe } from 'vitest'
import { testDatabase } from '../database/test-database.ts'
import { bridges } from './driven/all.ts'
import type { Bridge } from './driven/bridge.ts'

describe.each(bridges)('$name', ({ name, open }) => {
  const database = testDatabase()
  let [one, two] = [] as Bridge[]
  const opened = (bridge: Bridge | undefined): Bridge => {
    if (bridge === undefined) throw new Error('not connected yet')
    return bridge
  }

  beforeAll(async () => {
    const options = { url: database.url(), max: 20 }
    one = await open(options)
    two = await open(options)
    // The database is migrated already; this migrates it again, through the bridge.
    await migrate(one.client)
  })
  afterAll(() => Promise.all([one?.end(), two?.end()]))

  describeStore({
    name,
    modelRuns: 5,
    create: () => ({
      store: postgresStore({ client: opened(one).client }),
      another: () => postgresStore({ client: opened(two).client }),
      write: (tx, id) => opened(one).insert(tx, id),
      fail: (tx) =>
        opened(one)
          .raw(tx, 'select 1 / 0')
          .catch(() => {}),
      async written(id, within) {
        if (within === undefined) return database.hasOrder(id)
        return (await opened(one).count(within, id)) === 1
      },
      events: () =>
        database.query<OutboxEvent>(
          `select id, type, source, subject, ordering_key as "orderingKey", data::text, headers,
             occurred_at as "occurredAt"
           from oncekey.outbox order by seq`,
        ),
      async expireResults() {
        await purge(opened(one).client, { resultRetentionMs: 0, limit: 100_000 })
      },
    }),
  })
})
