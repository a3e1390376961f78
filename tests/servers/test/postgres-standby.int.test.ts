import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  durable,
  type PostgresServer,
  type PostgresStandby,
  replicateSynchronously,
  startPostgres,
  startProxy,
  startStandby,
  waitFor,
} from '../src/index.ts'

let primary: PostgresServer
let standby: PostgresStandby
beforeEach(async () => {
  primary = await startPostgres({ settings: durable })
  await rows(primary, 'CREATE TABLE kept (id int)')
  standby = await startStandby(primary)
})
afterEach(async () => {
  await standby?.stop()
  await primary?.stop()
})

test('a standby follows its primary, and refuses writes until it is promoted', async () => {
  await rows(primary, 'INSERT INTO kept VALUES (1)')
  await standby.caughtUp()
  expect(await rows(standby, 'SELECT id FROM kept')).toEqual([{ id: 1 }])
  await expect(rows(standby, 'INSERT INTO kept VALUES (2)')).rejects.toMatchObject({
    code: '25006',
  })

  await primary.crash()
  await standby.promote()
  await rows(standby, 'INSERT INTO kept VALUES (2)')
  expect(await rows(standby, 'SELECT id FROM kept ORDER BY 1')).toEqual([{ id: 1 }, { id: 2 }])
})

test('a promotion loses what was committed while the standby was cut off, on a new timeline', async () => {
  await rows(primary, 'INSERT INTO kept VALUES (1)')
  await standby.caughtUp()
  standby.cutOff()
  await rows(primary, 'INSERT INTO kept VALUES (2)')
  expect(await rows(primary, TIMELINE)).toEqual([{ timeline: 1 }])
  await primary.crash()
  await standby.promote()
  expect(await rows(standby, 'SELECT id FROM kept')).toEqual([{ id: 1 }])
  expect(await rows(standby, TIMELINE)).toEqual([{ timeline: 2 }])
})

test('a standby that was cut off catches up when it is connected again', async () => {
  standby.cutOff()
  await rows(primary, 'INSERT INTO kept VALUES (1)')
  await standby.reconnect()
  await standby.caughtUp()
  expect(await rows(standby, 'SELECT id FROM kept')).toEqual([{ id: 1 }])
})

test('a promotion keeps what has arrived and was not applied yet', async () => {
  await replicateSynchronously(primary, true)
  await standby.pauseReplay()
  await rows(primary, 'INSERT INTO kept VALUES (1)')
  expect(await rows(standby, 'SELECT id FROM kept')).toEqual([])
  await primary.crash()
  await standby.promote()
  expect(await rows(standby, 'SELECT id FROM kept')).toEqual([{ id: 1 }])
})

test('a commit waits for a synchronous standby that is away', async () => {
  await replicateSynchronously(primary, true)
  await rows(primary, 'INSERT INTO kept VALUES (1)')
  standby.cutOff()
  const waiting = rows(primary, 'INSERT INTO kept VALUES (2)')
  await waitFor(
    () => rows(primary, `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).then(first),
    { what: 'the commit to wait' },
  )
  expect(await rows(primary, 'SELECT id FROM kept')).toEqual([{ id: 1 }])

  await standby.reconnect()
  await waiting
  expect(await rows(primary, 'SELECT id FROM kept ORDER BY 1')).toEqual([{ id: 1 }, { id: 2 }])
})

test('the loss of one backend ends all others, and the server recovers', async () => {
  await rows(primary, 'INSERT INTO kept VALUES (1)')
  const pid = primary.pid()
  const clients = [new pg.Client(primary.url), new pg.Client(primary.url)]
  const lost = clients.map((client) => new Promise((resolve) => client.on('error', resolve)))
  for (const client of clients) await client.connect()
  const backend = await clients[0]?.query('SELECT pg_backend_pid() AS pid')

  await primary.crashBackend(backend?.rows[0].pid)
  await Promise.all(lost)
  expect(primary.pid()).toBe(pid)
  expect(await rows(primary, 'SELECT id FROM kept')).toEqual([{ id: 1 }])
})

test('an address that is led elsewhere keeps its open connections', async () => {
  const address = await startProxy(primary.port)
  const url = address.through(primary.url)
  const [before, after] = [new pg.Client(url), new pg.Client(url)]
  await before.connect()
  address.retarget(standby.port)
  await after.connect()
  try {
    const inRecovery = 'SELECT pg_is_in_recovery() AS is'
    expect((await before.query(inRecovery)).rows).toEqual([{ is: false }])
    expect((await after.query(inRecovery)).rows).toEqual([{ is: true }])
  } finally {
    await before.end()
    await after.end()
    await address.stop()
  }
})

const TIMELINE = `SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS timeline`

function first<T>(list: T[]): T | undefined {
  return list[0]
}

async function rows(
  { url }: { readonly url: string },
  text: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
