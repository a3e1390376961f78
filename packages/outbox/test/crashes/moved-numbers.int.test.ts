import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { consumer, createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, transact } from '@oncekey/postgres'
import {
  findSystemPostgres,
  type PostgresServer,
  startPostgres,
  waitFor,
} from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quick } from '../databases/log-database.ts'

const binDir = findSystemPostgres()
const run = promisify(execFile)

/**
 * How many transaction numbers one page of the server's commit log covers. A new page must begin at
 * a multiple of this number.
 */
const PAGE = 32_768n
const WRAP = 2n ** 32n

// The Postgres binaries from npm come without pg_resetwal.
describe.skipIf(binDir === undefined)('transaction numbers that were moved', () => {
  let server: PostgresServer
  let url: string
  const pools: Pool[] = []
  const pool = (connectionString = url): Pool => {
    const made = new Pool({ connectionString, max: 5 })
    made.on('error', () => {})
    pools.push(made)
    return made
  }
  beforeAll(async () => {
    server = await startPostgres({
      ...(binDir !== undefined && { binDir }),
      settings: { autovacuum: 'off' },
    })
    url = await server.createDatabase()
    await migrate(pool())
    await pool().query('create table used_up ()')
  })
  afterAll(async () => {
    await Promise.all(pools.map((each) => each.end()))
    await server.stop()
  })

  /**
   * Makes `next` the next transaction number. Existing rows keep their numbers, so all of them must
   * be frozen before.
   */
  async function moveTo(next: bigint): Promise<void> {
    const admin = pool(server.url)
    await admin.query('update pg_database set datallowconn = true')
    const { rows } = await admin.query<{ datname: string }>('select datname from pg_database')
    for (const { datname } of rows) {
      await pool(Object.assign(new URL(server.url), { pathname: datname }).href).query(
        'vacuum (freeze)',
      )
    }
    await server.restart(async (dataDir) => {
      const { uid, gid } = statSync(dataDir)
      const [epoch, number] = [next / WRAP, next % WRAP].map(String) as [string, string]
      await run(join(binDir ?? '', 'pg_resetwal'), ['-x', number, '-e', epoch, dataDir], {
        uid,
        gid,
      })
    })
    expect(await nextNumber()).toBeGreaterThanOrEqual(next)
    expect(await nextNumber()).toBeLessThan(next + 10_000n)
  }

  async function nextNumber(): Promise<bigint> {
    const { rows } = await pool().query('select pg_snapshot_xmax(pg_current_snapshot())::text as x')
    return BigInt(rows[0]?.x)
  }

  const seen: string[] = []
  const emitted: string[] = []
  async function emit(stage: string): Promise<void> {
    const writers = pool()
    for (let at = 0; at < 10; at += 1) {
      const subject = `${stage}-${at}`
      emitted.push(subject)
      await transact(writers, (_, tell) => tell({ type: 'one', subject }))
    }
  }
  const relay = () =>
    createRelay({
      ...quick,
      log: postgresLog({ client: pool() }),
      consumers: [
        consumer<PoolClient>({
          name: 'numbers',
          startAt: 'beginning',
          handle: ({ event }) => void seen.push(event.subject ?? ''),
        }),
      ],
    })

  /**
   * Checks that a relay that runs while the numbers are moved, and one that starts later, both
   * continue with the events that are there.
   */
  async function delivered(): Promise<void> {
    const next = relay()
    next.start()
    await waitFor(() => seen.length >= emitted.length, { what: 'all events', timeoutMs: 30_000 })
    await next.stop()
    await relay().runOnce()
    expect([...seen].sort()).toEqual([...emitted].sort())
  }

  test('lose no event and repeat none', { timeout: 180_000 }, async () => {
    await emit('at first')
    await delivered()

    for (const billions of [1n, 2n, 3n, 4n]) {
      await emit(`before ${billions} billion`)
      await moveTo(((billions * 1_000_000_000n) / PAGE) * PAGE)
      await emit(`after ${billions} billion`)
      await delivered()
    }

    await emit('before the last')
    await moveTo(WRAP - PAGE)
    await emit('the last')
    // Each block that has written uses up a number.
    await pool().query(`do $$ begin
      for used in 1..33000 loop
        begin
          insert into used_up default values;
        exception when others then
          raise;
        end;
      end loop;
    end $$`)
    expect(await nextNumber()).toBeGreaterThan(WRAP)
    await emit('behind the wrap')
    await delivered()

    await emit('before they begin anew')
    await moveTo(4n * PAGE)
    await emit('anew')
    await delivered()
  })
})
