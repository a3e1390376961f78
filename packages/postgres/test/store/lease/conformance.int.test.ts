import { describeStore, type StoreFixture } from '@oncekey/conformance'
import type { OutboxEvent } from '@oncekey/core'
import { type Isolation, purge } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { beforeAll } from 'vitest'
import { clockOptions, movableClock } from '../../database/movable-clock.ts'
import { storeOn, type TestDatabase, testDatabase } from '../../database/test-database.ts'

// Every way of sending statements, every isolation level, and leases that really expire.
const kinds = [
  { name: 'one message, real leases', clock: 'real' },
  { name: 'pipelined, repeatable read', pipeline: true, isolation: 'repeatable read' },
  { name: 'prepared, serializable', prepare: true, isolation: 'serializable' },
] as const

for (const { name, ...options } of kinds) {
  const create = fixtures(testDatabase(), options)
  describeStore({ name: `postgres in lease mode, ${name}`, modelRuns: 20, create })
}

function fixtures(
  database: TestDatabase,
  options: { pipeline?: boolean; prepare?: boolean; isolation?: Isolation; clock?: 'real' },
): () => StoreFixture<PoolClient> {
  const { pipeline = false, clock, ...rest } = options
  const pools: Pool[] = []
  const closing: (() => Promise<void>)[] = []
  let other: ReturnType<typeof storeOn> | undefined
  // Two pools, as in two processes, shared by all tests because connecting takes time.
  const pool = (index: number): Pool => {
    const moved = clock === 'real' ? {} : { options: clockOptions }
    pools[index] ??= database.pool({ max: 20, pipeline, ...moved })
    return pools[index]
  }
  let advance: (ms: number) => Promise<void>
  if (clock !== 'real') {
    beforeAll(async () => {
      advance = await movableClock(database)
    })
  }

  async function behindProxy() {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    const moved = clock === 'real' ? {} : { options: clockOptions }
    const connectionString = proxy.through(database.url())
    const away = database.pool({ max: 4, pipeline, connectionString, ...moved })
    closing.push(
      () => proxy.stop(),
      () => away.end(),
    )
    // Opens the connection first, so that the claim is sent at once.
    await away.query('select')
    return { proxy, store: storeOn(away, { ...rest, mode: 'lease', acquireTimeoutMs: 1_000 }) }
  }

  return () => ({
    store: storeOn(pool(0), { ...rest, mode: 'lease' }),
    another: () => storeOn(pool(1), { ...rest, mode: 'lease' }),
    otherMode: () => (other ??= storeOn(pool(1), { ...rest, mode: 'transaction' })),
    ...(clock !== 'real' && { advance }),
    write: (tx, id) => tx.query('insert into orders values ($1)', [id]),
    fail: (tx) => tx.query('select 1 / 0').catch(() => {}),
    async written(id, within) {
      const text = 'select id from orders where id = $1'
      const rows = within ? (await within.query(text, [id])).rows : await database.query(text, [id])
      return rows.length === 1
    },
    events: () =>
      database.query<OutboxEvent>(
        `select id, type, source, subject, ordering_key as "orderingKey", data::text, headers,
           occurred_at as "occurredAt"
         from oncekey.outbox order by seq`,
      ),
    async expireResults() {
      await purge(pool(0), { resultRetentionMs: 0, limit: 100_000 })
    },
    async unanswered() {
      const { proxy, store } = await behindProxy()
      proxy.stallUpstream()
      const tokens: string[] = []
      return {
        store: {
          ...store,
          begin(claim) {
            tokens.push(claim.token)
            return store.begin(claim)
          },
        },
        async answer() {
          proxy.resume()
          await waitFor(
            async () => (await database.query(CARRIED_OUT, [tokens])).length === tokens.length,
            { what: 'the server to have carried the claims out', timeoutMs: 30_000 },
          )
        },
      }
    },
    async sentTwice() {
      const { proxy, store } = await behindProxy()
      let deliver = async (): Promise<void> => {}
      return {
        store: {
          ...store,
          async begin(claim) {
            const stranded = proxy.strandBefore(claim.token)
            const decision = await store.begin(claim)
            deliver = await stranded
            return decision
          },
        },
        deliver: () => deliver(),
      }
    },
    async lose({ key }) {
      await database.query('delete from oncekey.attempts where key = $1', [key])
    },
    async close() {
      for (const close of closing.splice(0)) await close()
    },
    // No expireKeys, because a record is valid until it is purged, however old it is.
  })
}

/** Whether a claim has the key, or was given back. */
const CARRIED_OUT = `select token from oncekey.attempts where token = any ($1)
  union select token from oncekey.leases where token = any ($1)`
