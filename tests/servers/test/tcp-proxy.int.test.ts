import { once } from 'node:events'
import type { Socket } from 'node:net'
import pg from 'pg'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  test,
  vi,
} from 'vitest'
import { type Database, freshDatabase, startProxy, type TcpProxy, waitFor } from '../src/index.ts'

describe('between a pg client and Postgres', () => {
  let database: Database
  let proxy: TcpProxy
  let direct: pg.Client
  let client: pg.Client
  const errors = new Map<pg.Client, Error>()

  beforeAll(async () => {
    database = await freshDatabase(inject('postgresUrl'))
    direct = new pg.Client(database.url)
    await direct.connect()
    await direct.query('CREATE TABLE things (id int)')
  })
  afterAll(async () => {
    await direct.end()
    await database.drop()
  })
  beforeEach(async () => {
    await direct.query('TRUNCATE things')
    proxy = await startProxy(Number(new URL(database.url).port))
    client = await throughProxy()
    proxy.resetCounts()
  })
  afterEach(async () => {
    vi.useRealTimers()
    await proxy.stop()
    await direct.query(
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
  })

  async function throughProxy(): Promise<pg.Client> {
    const opened = new pg.Client(proxy.through(database.url))
    opened.on('error', (error) => errors.set(opened, errors.get(opened) ?? error))
    await opened.connect()
    return opened
  }

  async function backends(): Promise<number> {
    const { rows } = await direct.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()
         AND backend_type = 'client backend'`,
    )
    return rows[0].n
  }

  async function things(): Promise<number> {
    const { rows } = await direct.query('SELECT count(*)::int AS n FROM things')
    return rows[0].n
  }

  test('each query is one round trip, whatever its protocol, size and number of rows', async () => {
    await client.query('SELECT 1')
    expect(proxy.counts().roundTrips).toBe(1)
    await client.query('SELECT $1::int', [1])
    expect(proxy.counts().roundTrips).toBe(2)
    await client.query({ name: 'named', text: 'SELECT $1::int', values: [1] })
    expect(proxy.counts().roundTrips).toBe(3)
    await client.query(`SELECT length($1)`, ['x'.repeat(5_000_000)])
    expect(proxy.counts().roundTrips).toBe(4)
    const { rows } = await client.query('SELECT generate_series(1, 100000)')
    expect(rows).toHaveLength(100_000)
    expect(proxy.counts().roundTrips).toBe(5)
    expect(proxy.counts().bytesUp).toBeGreaterThan(5_000_000)
    expect(proxy.counts().bytesDown).toBeGreaterThan(1_000_000)
    expect(proxy.counts().connections).toBe(0)
  })

  test('a transaction of three statements is five round trips, each time', async () => {
    for (let i = 0; i < 100; i++) {
      proxy.resetCounts()
      await client.query('BEGIN')
      for (let j = 0; j < 3; j++) await client.query('INSERT INTO things VALUES ($1)', [j])
      await client.query('COMMIT')
      expect(proxy.counts().roundTrips).toBe(5)
    }
  })

  test('bytes are counted exactly', async () => {
    await client.query('SELECT 1')
    // Query: type, length, text, NUL.
    expect(proxy.counts().bytesUp).toBe(1 + 4 + 'SELECT 1'.length + 1)
    // RowDescription, DataRow, CommandComplete 'SELECT 1', ReadyForQuery.
    expect(proxy.counts().bytesDown).toBe(34 + 12 + 14 + 6)
  })

  test('round trips of fifty simultaneous connections add up', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, throughProxy))
    expect(proxy.counts().connections).toBe(50)
    expect(proxy.open()).toBe(51)
    proxy.resetCounts()
    await Promise.all(
      clients.map(async (each) => {
        for (let i = 0; i < 4; i++) await each.query('SELECT $1::int', [i])
      }),
    )
    expect(proxy.counts().roundTrips).toBe(200)
    await Promise.all(clients.map((each) => each.end()))
    await waitFor(() => proxy.open() === 1, { what: 'the connections to be closed' })
    await waitFor(async () => (await backends()) === 1, { what: 'their backends to be gone' })
  })

  test('cut resets both ends, and the next connection works', async () => {
    const busy = client.query('SELECT pg_sleep(60)')
    await waitFor(() => proxy.counts().bytesUp > 0, { what: 'the query to be sent' })
    proxy.cut()
    await expect(busy).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(proxy.open()).toBe(0)
    const next = await throughProxy()
    await next.query('SELECT 1')
    await next.end()
  })

  test('a cut connection leaves no backend', async () => {
    expect(await backends()).toBe(1)
    proxy.cut()
    await waitFor(async () => (await backends()) === 0, { what: 'the backend to be gone' })
    await waitFor(() => errors.has(client), { what: 'the client to notice' })
    expect(errors.get(client)).toMatchObject({ code: 'ECONNRESET' })
  })

  test('nothing passes during a stall, and everything does after it', async () => {
    proxy.stall()
    let done = false
    const insert = client.query('INSERT INTO things VALUES (1)').then(() => {
      done = true
    })
    const another = throughProxy()
    await waitFor(() => proxy.open() === 2, { what: 'the new connection to be accepted' })
    await direct.query('SELECT pg_sleep(0.1)')
    expect(done).toBe(false)
    expect(await things()).toBe(0)
    expect(proxy.counts()).toMatchObject({ bytesUp: 0, bytesDown: 0, roundTrips: 0 })
    proxy.resume()
    await insert
    expect(await things()).toBe(1)
    await (await another).end()
  })

  test('with answers stalled, the server acts and the client waits', async () => {
    proxy.stallDownstream()
    let done = false
    const insert = client.query('INSERT INTO things VALUES (1)').then(() => {
      done = true
    })
    await waitFor(async () => (await things()) === 1, { what: 'the row' })
    await direct.query('SELECT pg_sleep(0.1)')
    expect(done).toBe(false)
    expect(proxy.counts()).toMatchObject({ bytesDown: 0, roundTrips: 0 })
    proxy.resume()
    await insert
    expect(proxy.counts().roundTrips).toBe(1)
  })

  test('with requests stalled, the server can send and the client is not heard', async () => {
    await client.query('LISTEN news')
    proxy.stallUpstream()
    const heard = once(client, 'notification')
    await direct.query('NOTIFY news')
    await heard
    void client.query('INSERT INTO things VALUES (1)').catch(() => {})
    await direct.query('SELECT pg_sleep(0.1)')
    expect(await things()).toBe(0)
  })

  test('a stall hides a dead client from the server', async () => {
    proxy.stall()
    ;(client as unknown as { connection: { stream: Socket } }).connection.stream.resetAndDestroy()
    await direct.query('SELECT pg_sleep(0.2)')
    expect(await backends()).toBe(1)
    proxy.resume()
    await waitFor(async () => (await backends()) === 0, { what: 'the backend to be gone' })
  })

  test('dropAfter: the commit happens, and its answer is lost', async () => {
    await client.query('BEGIN')
    await client.query('INSERT INTO things VALUES (1)')
    const lost = proxy.dropAfter('COMMIT')
    const before = proxy.counts()
    await expect(client.query('COMMIT')).rejects.toMatchObject({ code: 'ECONNRESET' })
    await lost
    expect(await things()).toBe(1)
    expect(proxy.counts()).toMatchObject({
      bytesDown: before.bytesDown,
      roundTrips: before.roundTrips,
    })
    expect(proxy.open()).toBe(0)
    const next = await throughProxy()
    await next.query('BEGIN')
    await next.query('COMMIT')
    await next.end()
  })

  test('dropAfter: the server acts on everything sent, even if it answers in between', async () => {
    const lost = proxy.dropAfter('COMMIT')
    const text = `BEGIN; SELECT repeat('x', 1000000); SELECT pg_sleep(0.1); INSERT INTO things VALUES (1); COMMIT`
    await expect(client.query(text)).rejects.toMatchObject({ code: 'ECONNRESET' })
    await lost
    expect(await things()).toBe(1)
  })

  test('dropBefore: the commit never reaches the server', async () => {
    await client.query('BEGIN')
    await client.query('INSERT INTO things VALUES (1)')
    const lost = proxy.dropBefore((sent) => sent.includes('COMMIT'))
    await expect(client.query('COMMIT')).rejects.toMatchObject({ code: 'ECONNRESET' })
    await lost
    await waitFor(async () => (await backends()) === 0, { what: 'the backend to be gone' })
    expect(await things()).toBe(0)
  })

  test('holdBefore: the commit is held until its client is gone, and never arrives', async () => {
    const held = proxy.holdBefore('COMMIT')
    const other = await throughProxy()
    await client.query('BEGIN')
    await client.query('INSERT INTO things VALUES (1)')
    const committing = client.query('COMMIT').catch(() => 'lost')
    await held
    await other.query('INSERT INTO things VALUES (2)')
    expect(await things()).toBe(1)
    client.end().catch(() => {})
    expect(await committing).toBe('lost')
    await waitFor(async () => (await backends()) === 1, { what: 'its backend to end' })
    expect(await things()).toBe(1)
    await other.end()
  })

  test('holdAfter: the commit has happened, and its client does not know', async () => {
    const held = proxy.holdAfter('COMMIT')
    await client.query('BEGIN')
    await client.query('INSERT INTO things VALUES (1)')
    const answer = client.query('COMMIT').catch(() => 'lost')
    await held
    expect(await things()).toBe(1)
    client.end().catch(() => {})
    expect(await answer).toBe('lost')
    await waitFor(async () => (await backends()) === 0, { what: 'its backend to end' })
  })

  test.each(['delayAfter', 'delayBefore'] as const)(
    '%s: one connection is answered late, and the others are not',
    async (delay) => {
      const other = await throughProxy()
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      const late = proxy[delay]('INSERT', 300)
      const answers: string[] = []
      const slow = client.query('INSERT INTO things VALUES (1)').then(() => answers.push('slow'))
      await late
      await other.query('SELECT 1').then(() => answers.push('quick'))
      expect(answers).toEqual(['quick'])
      while (answers.length < 2) {
        vi.advanceTimersByTime(300)
        await new Promise(setImmediate)
      }
      await slow
      expect(answers).toEqual(['quick', 'slow'])
      expect(await things()).toBe(1)
      await other.end()
    },
  )

  test('refuse turns new connections away and keeps the old ones', async () => {
    proxy.refuse()
    await expect(throughProxy()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await client.query('SELECT 1')
    await proxy.accept()
    await (await throughProxy()).end()
  })

  test('latency delays both directions', async () => {
    proxy.latency(30)
    const start = performance.now()
    await client.query('SELECT 1')
    expect(performance.now() - start).toBeGreaterThanOrEqual(59)
    expect(proxy.counts().roundTrips).toBe(1)
  })

  test('an orderly close of a client passes through the proxy', async () => {
    await client.end()
    await waitFor(() => proxy.open() === 0, { what: 'the connection to be closed' })
    expect(errors.get(client)).toBeUndefined()
  })
})
