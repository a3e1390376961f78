import type { PGlite, Transaction } from '@electric-sql/pglite'
import type { Store } from '@oncekey/core'
import { migrate, postgresStore, purge, type SqlClient } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { Client, type ClientBase, Pool, type PoolClient } from 'pg'

type Equals<One, Other> =
  (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false
const isTrue = <_ extends true>(): void => {}

// A pool of pg is accepted directly, and a handler gets that pool's client.
const pool = new Pool({ max: 4, pipeline: true })
const store = postgresStore({ client: pool })
isTrue<Equals<typeof store, Store<PoolClient>>>()
const { rows } = await (await (await store.open({ leaseMs: 1 })).transaction()).query<{
  id: string
}>('select 1')
isTrue<Equals<typeof rows, { id: string }[]>>()
await migrate(pool)
await migrate(pool, { schema: 'mine' })
await purge(pool, { limit: 10 })

// A pool whose clients have another type is accepted too.
class MyPool extends Pool {
  readonly mine = true
}
isTrue<Equals<ReturnType<typeof mine>, Store<PoolClient>>>()
const mine = () => postgresStore({ client: new MyPool() })

// PGlite needs its bridge, and a handler gets PGlite's transaction.
declare const db: PGlite
const embedded = postgresStore({ client: fromPglite(db), isolation: 'serializable' })
isTrue<Equals<typeof embedded, Store<Transaction>>>()
await migrate(fromPglite(db))

// A bridge of your own.
declare const client: SqlClient<{ mine: true }>
isTrue<Equals<ReturnType<typeof bridged>, Store<{ mine: true }>>>()
const bridged = () => postgresStore({ client })

// @ts-expect-error a single connection is not a pool
postgresStore({ client: new Client() })
// @ts-expect-error a client that a pool gave out is not a pool
postgresStore({ client: {} as PoolClient | ClientBase })
// @ts-expect-error PGlite needs its bridge
postgresStore({ client: db })
// @ts-expect-error
postgresStore({ client: pool, isolation: 'snapshot' })
// @ts-expect-error
postgresStore({ client: pool, maxConcurent: 2 })
