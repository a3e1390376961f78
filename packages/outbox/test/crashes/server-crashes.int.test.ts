import { setTimeout } from 'node:timers/promises'
import type { EventLog } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { append, migrate, postgresLog, transact } from '@oncekey/postgres'
import { type PostgresServer, startPostgres, waitFor } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const CRASHES = Number(process.env.SERVER_CRASHES ?? 3)

/**
 * A transaction that is rolled back has a transaction number, which Postgres need not write to
 * disk: after a crash it gives the same number to another transaction. A reader that has passed the
 * first transaction must not skip the second.
 */
describe.each(['on', 'off'])('a server that crashes, with synchronous_commit = %s,', (commits) => {
  let server: PostgresServer
  let url: string
  const pools: Pool[] = []
  const pool = (): Pool => {
    const made = new Pool({ connectionString: url, max: 20 })
    made.on('error', () => {})
    pools.push(made)
    return made
  }

  beforeAll(async () => {
    server = await startPostgres({
      // Without synchronous_commit, a rollback is not written to disk before the crash.
      settings: { synchronous_commit: commits, wal_writer_delay: '10s', autovacuum: 'off' },
    })
    url = await server.createDatabase()
    const own = pool()
    await migrate(own)
    await own.query('checkpoint')
  })
  afterAll(async () => {
    await Promise.all(pools.map((each) => each.end()))
    await server.stop()
  })

  const crashes = {
    'of the whole server': async () => {
      await server.crash()
      await server.restart()
    },
    'of one backend': async () => {
      const victim = await pool().connect()
      victim.on('error', () => {})
      const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid')
      await server.crashBackend(rows[0]?.pid ?? 0)
      victim.release(true)
    },
  }

  test.each(Object.entries(crashes))(
    'loses no event to a relay that keeps running: crash %s, with transactions rolled back and in flight',
    { timeout: 240_000 + CRASHES * 20_000 },
    async (what, crash) => {
      const client = pool()
      const writers = pool()
      const seen = new Set<string>()
      const log = postgresLog({ client })
      let reads = 0
      let gate = Promise.resolve()
      const counted: EventLog<PoolClient> = {
        ...log,
        async read(request) {
          await gate
          const page = await log.read(request)
          reads += 1
          return page
        },
      }
      const relay = createRelay({
        minPollMs: 2,
        maxPollMs: 20,
        advanceEveryMs: 5,
        log: counted,
        consumers: [
          consumer<PoolClient>({
            name: what.replaceAll(' ', '-'),
            handle({ event }) {
              seen.add(event.id)
            },
          }),
        ],
      })
      const polled = async () => {
        const before = reads
        await waitFor(() => reads > before + 2, { what: 'the relay to read', timeoutMs: 30_000 })
      }
      relay.start()
      for (let crashed = 0; crashed < CRASHES; crashed += 1) {
        await transact(writers, (_, emit) => emit({ type: 'before' }))
        await polled()
        const open = await Promise.all(Array.from({ length: 12 }, () => writers.connect()))
        for (const each of open) {
          each.on('error', () => {})
          await each.query('begin')
          await append(each, { type: 'undone' })
        }
        await polled()
        for (const each of open.slice(0, 8)) await each.query('rollback')
        await polled()
        // Other clients write before the relay reconnects.
        let back = (): void => {}
        gate = new Promise((resolve) => {
          back = resolve
        })
        await crash()
        for (const each of open) each.release(true)
        for (let after = 0; after < 12; after += 1) {
          await transact(writers, (_, emit) => emit({ type: 'after' }))
        }
        back()
        const { rows } = await writers.query<{ id: string }>('select id from oncekey.outbox')
        await waitFor(() => rows.every(({ id }) => seen.has(id)), {
          what: 'all that is in the database to be delivered',
          timeoutMs: 20_000,
        }).catch(() => {})
        expect(rows.filter(({ id }) => !seen.has(id))).toEqual([])
      }
      await relay.stop()
    },
  )

  test('loses no event under load, whenever it crashes', { timeout: 240_000 }, async () => {
    const writers = pool()
    const seen = new Set<string>()
    const relay = createRelay({
      minPollMs: 2,
      maxPollMs: 20,
      advanceEveryMs: 5,
      log: postgresLog({ client: pool() }),
      consumers: [
        consumer<PoolClient>({
          name: 'under-load',
          handle: ({ event }) => void seen.add(event.id),
        }),
      ],
    })
    relay.start()
    let running = true
    let committed = 0
    const write = async (): Promise<void> => {
      while (running) {
        const undo = Math.random() < 0.4
        await transact(writers, (_, emit) => {
          emit({ type: 'load' })
          if (undo) throw new Error('undone')
        }).then(
          () => {
            committed += 1
          },
          () => setTimeout(5),
        )
      }
    }
    const writing = Promise.all(Array.from({ length: 6 }, write))
    for (let crashed = 0; crashed < CRASHES; crashed += 1) {
      const before = committed
      await waitFor(() => committed > before + 100, { what: 'some load', timeoutMs: 30_000 })
      await crashes[crashed % 2 === 0 ? 'of one backend' : 'of the whole server']()
    }
    running = false
    await writing
    const { rows } = await writers.query<{ id: string }>('select id from oncekey.outbox')
    await waitFor(() => rows.every(({ id }) => seen.has(id)), {
      what: 'all that is in the database to be delivered',
      timeoutMs: 30_000,
    }).catch(() => {})
    expect(rows.filter(({ id }) => !seen.has(id))).toEqual([])
    await relay.stop()
  })
})
