import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { EventLog, RelayErrorMessage } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { append, migrate, postgresLog, transact } from '@oncekey/postgres'
import { type PostgresServer, startPostgres, startStandby, waitFor } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'

/**
 * A pool that connects to whichever server the database's name points to: another one after a
 * failover.
 */
function movablePool(url: string, max = 20): { pool: Pool; moveTo(url: string): void } {
  const { hostname: host, port, username: user, password, pathname } = new URL(url)
  const database = pathname.slice(1)
  const pool = new Pool({ host, port: Number(port), user, password, database, max })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    pool,
    moveTo(to) {
      pool.options.port = Number(new URL(to).port)
    },
  }
}

describe('a relay that keeps running while its database fails over to an asynchronous replica', () => {
  test.each([0, 5, 300])(
    'gets every event that the new primary has, which is %i transactions behind',
    { timeout: 240_000 },
    async (behind) => {
      const primary = await startPostgres({ settings: { wal_level: 'replica' } })
      const servers: PostgresServer[] = [primary]
      const url = await primary.createDatabase()
      const [reading, writing] = [movablePool(url), movablePool(url)]
      const said: unknown[] = []
      const listen = (message: unknown) => void said.push((message as RelayErrorMessage).error)
      subscribe('oncekey:relay-error', listen)
      try {
        await migrate(writing.pool)
        const standby = await startStandby(primary)
        servers.push(standby)
        const seen = new Set<string>()
        let gate = Promise.resolve()
        const log: EventLog<PoolClient> = postgresLog({ client: reading.pool })
        const gated: EventLog<PoolClient> = {
          ...log,
          async read(request) {
            await gate
            return await log.read(request)
          },
        }
        const relay = createRelay({
          minPollMs: 2,
          maxPollMs: 20,
          advanceEveryMs: 5,
          log: gated,
          consumers: [
            consumer<PoolClient>({
              name: 'lives-on',
              handle: ({ event }) => void seen.add(event.id),
            }),
          ],
        })
        relay.start()
        const emit = async (count: number) => {
          for (let at = 0; at < count; at += 1) {
            await transact(writing.pool, (_, emit) => emit({ type: 'order.created' }))
          }
        }
        const inDatabase = async () =>
          (await writing.pool.query<{ id: string }>('select id from oncekey.outbox')).rows
        const delivered = async () => {
          const rows = await inDatabase()
          await waitFor(() => rows.every(({ id }) => seen.has(id)), {
            what: 'all that is in the database to be delivered',
            timeoutMs: 20_000,
          }).catch(() => {})
          return rows.filter(({ id }) => !seen.has(id))
        }
        await emit(20)
        expect(await delivered()).toEqual([])
        await standby.caughtUp()
        if (behind > 0) standby.cutOff()
        await emit(behind)
        expect(await delivered()).toEqual([])
        // A transaction in progress when the old primary goes down.
        const open = await writing.pool.connect()
        await open.query('begin')
        await append(open, { type: 'undone' })

        let back = (): void => {}
        gate = new Promise((resolve) => {
          back = resolve
        })
        await primary.crash()
        open.release(true)
        await standby.promote()
        reading.moveTo(standby.url)
        writing.moveTo(standby.url)
        // Other clients write to the new primary before the relay reconnects.
        await emit(250)
        back()
        await emit(250)
        expect(await delivered()).toEqual([])
        await relay.stop()
        expect(said).toContainEqual(expect.objectContaining({ code: 'log-restored' }))
      } finally {
        unsubscribe('oncekey:relay-error', listen)
        await Promise.all([reading.pool.end(), writing.pool.end()])
        for (const server of servers.reverse()) await server.stop()
      }
    },
  )
})
