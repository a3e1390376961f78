import type { StoreFixture } from '@oncekey/conformance'
import type { OutboxEvent } from '@oncekey/core'
import { migrate, type PostgresClient, postgresStore, purge } from '@oncekey/postgres'
import type { Bridge } from '../../../packages/postgres/test/bridges/driven/bridge.ts'

export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** Creates the tables that fixtures use. */
export async function prepared<Tx>(client: PostgresClient<Tx>, database: Queryable): Promise<void> {
  await migrate(client)
  await database.query('create table orders (id text primary key)')
}

/** The store on a client; `database` looks at what it has committed. */
export function postgresFixture<Tx extends Queryable>(
  client: PostgresClient<Tx>,
  database: Queryable,
  options: { prepare?: boolean; mode?: 'transaction' | 'lease' } = {},
): StoreFixture {
  const made: StoreFixture<Tx> = {
    store: postgresStore<Tx>({ client, ...options }),
    write: (tx, id) => tx.query('insert into orders values ($1)', [id]),
    async written(id, within) {
      const { rows } = await (within ?? database).query('select from orders where id = $1', [id])
      return rows.length === 1
    },
    ...lookingAt(client, database),
  }
  // Only the fixture knows the type of a transaction.
  return made as StoreFixture
}

/** The store through a library that has a bridge. */
export function bridgeFixture(
  { client, insert, count }: Bridge,
  database: Queryable,
): StoreFixture {
  return {
    store: postgresStore({ client }),
    write: (tx, id) => insert(tx, id),
    async written(id, within) {
      if (within !== undefined) return (await count(within, id)) === 1
      const { rows } = await database.query('select from orders where id = $1', [id])
      return rows.length === 1
    },
    ...lookingAt(client, database),
  }
}

function lookingAt<Tx>(client: PostgresClient<Tx>, database: Queryable) {
  return {
    async events() {
      const { rows } = await database.query(
        `select id, type, source, subject, ordering_key as "orderingKey", data::text, headers,
           occurred_at as "occurredAt"
         from oncekey.outbox order by seq`,
      )
      return rows as OutboxEvent[]
    },
    async expireResults() {
      await purge(client, { resultRetentionMs: 0, limit: 100_000 })
    },
  }
}
