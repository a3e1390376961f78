import { waitFor } from '@oncekey/test-servers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

/** A message that is past its retention and has no delivery left, and an endpoint that wants it. */
async function oldMessage() {
  const hooks = database.hooks()
  const receiver = await startReceiver(204)
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf()])
  await database.query(
    `update oncekey.webhook_messages set created_at = created_at - interval '40 days'`,
  )
  await database.query('delete from oncekey.webhook_deliveries')
  return { hooks, receiver, endpoint }
}

async function session() {
  const client = await database.pool().connect()
  await client.query('begin')
  let isOver = false
  const end = async (how: 'commit' | 'rollback') => {
    if (isOver) return
    isOver = true
    await client.query(how)
    client.release()
  }
  onTestFinished(() => end('rollback'))
  return { client, end }
}

const waits = (count: number, what: string) =>
  waitFor(
    async () => {
      const rows = await database.query(
        `select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rows.length >= count
    },
    { what: `${what} to wait` },
  )

const orphans = () =>
  database.query(`select d.id from oncekey.webhook_deliveries d
    where not exists (select from oncekey.webhook_messages m where m.id = d.message_id)`)

// A bug: a purge deleted a message while a replay made a delivery of it. Nothing could send that
// delivery, nor list it.
test('a message that is being replayed is not purged', async () => {
  const { hooks, endpoint, receiver } = await oldMessage()
  // Another insert of the same delivery makes that of the replay wait.
  const other = await session()
  await other.client.query(
    `insert into oncekey.webhook_deliveries (message_id, endpoint_id)
      select m.id, $1 from oncekey.webhook_messages m`,
    [endpoint.id],
  )
  await hooks.deliveries.replay({ endpointId: endpoint.id, since: new Date(0) })
  const replayed = hooks.createWorker().deliverOnce()
  await waits(1, 'the replay')
  expect(await hooks.purge()).toMatchObject({ messages: 0 })
  await other.end('rollback')
  expect(await replayed).toBe(1)
  expect(await orphans()).toEqual([])
  expect(receiver.received).toHaveLength(1)
})

test('nor is one replayed that is being purged', async () => {
  const { hooks, endpoint, receiver } = await oldMessage()
  // The purge waits here, when it has chosen what to delete.
  await database.query(`
    create function oncekey.wait_for_gate() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(74111); return null; end $$`)
  await database.query(`create trigger gate before delete on oncekey.webhook_messages
    for each statement execute function oncekey.wait_for_gate()`)
  onTestFinished(async () => {
    await database.query('drop function oncekey.wait_for_gate() cascade')
  })
  const gate = await session()
  await gate.client.query('select pg_advisory_xact_lock(74111)')
  const purged = hooks.purge()
  await waits(1, 'the purge')
  await hooks.deliveries.replay({ endpointId: endpoint.id, since: new Date(0) })
  const replayed = hooks.createWorker().deliverOnce()
  await waits(2, 'the replay')
  await gate.end('rollback')
  expect(await purged).toMatchObject({ messages: 1 })
  expect(await replayed).toBe(0)
  expect(await orphans()).toEqual([])
  expect(receiver.received).toHaveLength(0)
})

// A bug: `more` was false for a batch of which one message was not deleted, such as one that a
// replay had taken after it was chosen.
test('a purge that chose as many messages as it may tells that there may be more', async () => {
  const { hooks } = await oldMessage()
  await database.query(`
    create function oncekey.keep_message() returns trigger language plpgsql as $$
      begin return null; end $$`)
  await database.query(`create trigger keep before delete on oncekey.webhook_messages
    for each row execute function oncekey.keep_message()`)
  onTestFinished(async () => {
    await database.query('drop function oncekey.keep_message() cascade')
  })
  expect(await hooks.purge({ limit: 1 })).toMatchObject({ messages: 0, more: true })
})

test('a purge works in a session with another isolation level', async () => {
  const { hooks } = await oldMessage()
  const pool = database.pool({ options: '-c default_transaction_isolation=serializable' })
  expect(await database.hooks({ client: pool }).purge()).toMatchObject({ messages: 1 })
  expect(await hooks.purge()).toMatchObject({ messages: 0 })
})

// Its second statement would not see what was committed after its first one.
test('a purge with one snapshot for both of its statements is refused', async () => {
  const { client } = await session()
  await client.query('set transaction isolation level repeatable read')
  const purged = client.query('select oncekey.purge_webhook_messages(0, 10)')
  await expect(purged).rejects.toMatchObject({ code: '40001', hint: 'Ask at READ COMMITTED.' })
})
