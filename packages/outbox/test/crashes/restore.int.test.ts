import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { consumer, createRelay } from '@oncekey/outbox'
import { append, migrate, postgresLog, transact } from '@oncekey/postgres'
import {
  findSystemPostgres,
  type PostgresServer,
  startPostgres,
  waitFor,
} from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gate, quick } from '../databases/log-database.ts'

const binDir = findSystemPostgres()
const run = promisify(execFile)

// The Postgres binaries from npm come without pg_dump.
describe.skipIf(binDir === undefined)('a restored dump', () => {
  const servers: PostgresServer[] = []
  const pools: Pool[] = []
  const start = async (): Promise<PostgresServer> => {
    const server = await startPostgres(binDir === undefined ? {} : { binDir })
    servers.push(server)
    return server
  }
  const poolOn = (connectionString: string): Pool => {
    const pool = new Pool({ connectionString })
    pool.on('error', () => {})
    pools.push(pool)
    return pool
  }
  let old: PostgresServer
  let from: string
  let seen: Set<string>
  let warnings: string[]
  const onWarning = ({ message }: Error): void => void warnings.push(message)

  beforeEach(async () => {
    warnings = []
    process.on('warning', onWarning)
    seen = new Set()
    old = await start()
    from = await old.createDatabase()
  })
  afterEach(async () => {
    process.off('warning', onWarning)
    await Promise.all(pools.splice(0).map((pool) => pool.end()))
    await Promise.all(servers.splice(0).map((server) => server.stop()))
  })

  const relayOn = (url: string, names = ['shipping']) =>
    createRelay<PoolClient>({
      minPollMs: 2,
      maxPollMs: 20,
      advanceEveryMs: 5,
      log: postgresLog({ client: poolOn(url) }),
      consumers: names.map((name) =>
        consumer<PoolClient>({ name, handle: ({ event }) => void seen.add(`${name} ${event.id}`) }),
      ),
    })
  const emit = async (pool: Pool, count: number): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      await transact(pool, (_, emit) => emit({ type: 'order.created' }))
    }
  }
  const idsIn = async (pool: Pool): Promise<string[]> =>
    (await pool.query<{ id: string }>('select id from oncekey.outbox')).rows.map(({ id }) => id)
  const missing = async (ids: readonly string[], name = 'shipping'): Promise<string[]> => {
    const missing = () => ids.filter((id) => !seen.has(`${name} ${id}`))
    await waitFor(() => missing().length === 0, {
      what: 'all events',
      timeoutMs: 15_000,
    }).catch(() => {})
    return missing()
  }
  const copied = async (to: string): Promise<void> => {
    const file = join('/tmp', `oncekey-${process.pid}-${Date.now()}.dump`)
    const programs = binDir ?? ''
    await run(join(programs, 'pg_dump'), ['--format=custom', `--file=${file}`, from])
    await run(join(programs, 'pg_restore'), ['--no-owner', `--dbname=${to}`, file])
    await run('rm', [file])
  }

  /** Puts the copy in the place of the database to which everybody is connected. */
  const swap = async (to: string): Promise<void> => {
    const [name, copy] = [from, to].map((url) => new URL(url).pathname.slice(1))
    const admin = poolOn(old.url)
    const disconnect = () =>
      admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname in ('${name}', '${copy}')`,
      )
    await disconnect()
    for (const text of [
      `alter database ${name} rename to ${name}_old`,
      `alter database ${copy} rename to ${name}`,
    ]) {
      const renamed = () =>
        admin.query(text).then(
          () => true,
          () => disconnect().then(() => false),
        )
      await waitFor(renamed, { what: text })
    }
  }

  /**
   * Leaves in `from` delivered, passed and unread events, one transaction in flight, and used-up
   * transaction numbers.
   */
  const lived = async (): Promise<{ unread: string[] }> => {
    const pool = poolOn(from)
    await migrate(pool)
    // An old database has used far more transaction numbers than a new one.
    for (let at = 0; at < 2_000; at += 1) await pool.query('select pg_current_xact_id()')
    const relay = relayOn(from)
    relay.start()
    await emit(pool, 50)
    expect(await missing(await idsIn(pool))).toEqual([])
    const late = await pool.connect()
    await late.query('begin')
    const [event] = await append(late, { type: 'late' })
    await emit(pool, 5)
    expect(await missing(await idsIn(pool))).toEqual([])
    await relay.stop()
    await late.query('commit')
    late.release()
    const before = new Set(seen)
    await emit(pool, 10)
    const all = await idsIn(pool)
    seen = new Set(before)
    expect(all).toContain(event?.id)
    return { unread: all.filter((id) => !before.has(`shipping ${id}`)) }
  }

  test('in another server, where the application starts before the relay, loses no event', {
    timeout: 240_000,
  }, async () => {
    const { unread } = await lived()
    const young = await start()
    const to = await young.createDatabase()
    await copied(to)
    const pool = poolOn(to)
    await emit(pool, 300)
    // Lets the new server's transaction numbers pass the old one's before the relay starts.
    for (let at = 0; at < 3_000; at += 1) await pool.query('select pg_current_xact_id()')
    const relay = relayOn(to)
    relay.start()
    expect(await missing([...unread, ...(await idsIn(pool)).slice(-300)])).toEqual([])
    await emit(pool, 20)
    expect(await missing((await idsIn(pool)).slice(-20))).toEqual([])
    await relay.stop()
    expect(warnings.join()).toContain('restored')
  })

  test('in a server whose transaction numbers are still behind loses no event', {
    timeout: 240_000,
  }, async () => {
    const { unread } = await lived()
    const young = await start()
    const to = await young.createDatabase()
    await copied(to)
    const pool = poolOn(to)
    await emit(pool, 30)
    const relay = relayOn(to)
    relay.start()
    expect(await missing([...unread, ...(await idsIn(pool)).slice(-30)])).toEqual([])
    await relay.stop()
  })

  test('in the same server, under a relay that keeps running, loses no event', {
    timeout: 240_000,
  }, async () => {
    const pool = poolOn(from)
    await migrate(pool)
    const to = await old.createDatabase()
    await emit(pool, 20)
    await copied(to)
    const relay = relayOn(from)
    relay.start()
    await emit(pool, 200)
    expect(await missing(await idsIn(pool))).toEqual([])
    await swap(to)
    const again = poolOn(from)
    await emit(again, 100)
    expect(await missing(await idsIn(again))).toEqual([])
    await relay.stop()
  })

  // A bug: the event that was under way took effect in the copy before earlier events whose effects
  // had been lost.
  test('under an ordered consumer that lives on has everything take effect in order again', {
    timeout: 240_000,
  }, async () => {
    const pool = poolOn(from)
    await migrate(pool)
    await pool.query('create table effects (at bigserial, subject text not null)')
    const client = poolOn(from)
    const subjects = ['1', '2', '3', '4', '5']
    const isOver = () =>
      pool
        .query<{ subject: string }>('select subject from effects order by at')
        .then(({ rows }) => rows.length === subjects.length && rows.map((row) => row.subject))
    const { opened: inHand, open: takeInHand } = gate()
    const { opened: swapped, open: goOn } = gate()
    const relay = createRelay<PoolClient>({
      ...quick,
      log: postgresLog({ client }),
      consumers: [
        consumer<PoolClient>({
          name: 'ordered',
          ordered: true,
          backoff: () => 0,
          async handle({ event, transaction }) {
            if (event.subject === '5') {
              takeInHand()
              await swapped
            }
            const tx = await transaction()
            await tx.query('insert into effects (subject) values ($1)', [event.subject])
          },
        }),
      ],
    })
    await relay.runOnce()
    for (const subject of subjects) {
      const event = { type: 'order.created', subject, orderingKey: 'one' }
      await transact(pool, (_, emit) => emit(event))
    }
    const to = await old.createDatabase()
    await copied(to)
    relay.start()
    await inHand
    await swap(to)
    goOn()
    expect(await waitFor(isOver, { what: 'all effects', timeoutMs: 30_000 })).toEqual(subjects)
    await relay.stop()
  })
})
