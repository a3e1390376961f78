import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { consumer, createRelay, deadLetters, PermanentError } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const role = `relay_${randomUUID().slice(0, 8)}`
const database = logDatabase()

beforeAll(async () => {
  await database.query(`create role ${role} login password 'secret'`)
  const page = await readFile(new URL('../../../../docs/grants.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split(/^## Relay\n/m)
  const [, sql = ''] = /```sql\n(.*?)```/s.exec(section) ?? []
  expect(sql).not.toBe('')
  await database.query(sql.replaceAll(/\brelay;/g, `${role};`))
  await database.query(`grant insert on effects to ${role}`)
})

// Runs before the database is dropped, because the role outlives it.
afterAll(async () => {
  await database.query(`drop owned by ${role}; drop role ${role}`)
})

function urlOf(login: string): string {
  const url = new URL(database.url())
  url.username = login
  url.password = 'secret'
  return url.href
}

test('a relay needs no more than the grants in docs/grants.md', async () => {
  const log = postgresLog({
    client: database.pool({ connectionString: urlOf(role) }),
    retentionMs: 0,
    resolvedRetentionMs: 0,
  })
  const effects = consumer<PoolClient>({
    name: 'effects',
    startAt: 'beginning',
    backoff: () => 5,
    async handle({ event, transaction, emit, attempt }) {
      if (event.subject === 'bad') throw new PermanentError('no')
      if (event.subject === 'again' && attempt === 1) throw new Error('not yet')
      const tx = await transaction()
      await tx.query("insert into effects values ('effects', $1)", [event.subject])
      if (event.subject === 'good') emit({ type: 'order.seen', subject: 'seen' })
    },
  })
  const relay = createRelay<PoolClient>({ ...quick, log, consumers: [effects] })
  await database.emit('good', 'again', 'bad', 'bad')
  const letters = deadLetters(log.deadLetters)
  relay.start()
  await waitFor(async () => (await letters.stats()).depth === 2, { what: 'the dead letters' })
  await waitFor(async () => Object.keys(await database.effects('effects')).length === 3, {
    what: 'the events, the one that failed first and the one that was emitted',
  })
  const {
    items: [one, two],
  } = await letters.list()
  await letters.redrive({ ids: [one?.id ?? ''] })
  await letters.discard([two?.id ?? ''], 'not needed')
  await waitFor(async () => (await letters.stats()).depth === 1, { what: 'it to die again' })

  // Moves time forward by three days, and the inbox's by a month.
  await database.query('update oncekey.outbox set part = (part + 5) % 8')
  await database.query(
    `update oncekey.processed_events set processed_at = processed_at - interval '31 days'`,
  )
  // Transactions of other databases hold cursors back, so the relay works on meanwhile.
  await waitFor(async () => (await log.maintain()).dropped > 0, {
    what: 'the events to be deleted',
  })
  await relay.stop()
  expect(await database.query('select from oncekey.outbox')).toEqual([])
  await log.retire('effects')
})

test('in a database that was copied, the owner repairs the cursors, and a relay goes on', async () => {
  const log = postgresLog({ client: database.pool({ connectionString: urlOf(role) }) })
  const asked = { consumer: 'copied', relay: 'relay-1', leaseMs: 60_000, holding: [] }
  await log.subscribe({ consumer: 'copied', types: null, startAt: 'beginning' })
  await database.query(`update oncekey.numbering set system = 'another'`)
  await expect(log.lease(asked)).rejects.toMatchObject({ cause: { code: '42501' } })
  // What `npx oncekey consumers list` asks.
  await postgresLog({ client: database.pool() }).lag('copied')
  expect((await log.lease(asked)).taken).toHaveLength(64)
})
