import { OptionsError } from '@oncekey/core'
import type { PgPool } from '../sql/pg/pg-client.ts'
import type { SqlClient } from '../sql/sql-client.ts'
import { fromPg } from './from-pg.ts'

/** A `pg` Pool, or another client wrapped by a bridge such as `fromDrizzle`. */
export type PostgresClient<Tx = unknown> = PgPool<Tx> | SqlClient<Tx>

/**
 * Makes the client that the store uses. A `pg` Pool is recognised by its shape, not by its class,
 * because a process may contain two copies of `pg`.
 */
export function sqlClientOf<Tx>(
  client: PostgresClient<Tx>,
  options: { readonly prepare: boolean },
): SqlClient<Tx> {
  const has = (name: string): boolean => typeof Reflect.get(Object(client), name) === 'function'
  if (has('begin') && has('query') && 'poolSize' in client) {
    if (options.prepare) throw notPrepared()
    return client
  }
  if (has('connect') && 'totalCount' in client) return fromPg(client, options)
  const bridge = bridges.find(({ shape }) => shape(Object(client), has))
  if (bridge !== undefined) throw new OptionsError(`client: ${bridge.say}`)
  if (has('connect')) {
    throw new OptionsError(
      'client: this is a single connection, and every request needs one of its own. ' +
        'Write new Pool(…) instead of new Client(…).',
    )
  }
  throw new OptionsError(
    'client: not a client for PostgreSQL that is known here. Give a Pool of the package "pg", or ' +
      'what a bridge makes of another: fromDrizzle(db), fromKnex(knex), fromKysely(db), ' +
      'fromMikroOrm(orm), fromPglite(db), fromPgPromise(db), fromPostgresJs(sql), ' +
      'fromPrisma(prisma, { pool }), fromSequelize(sequelize), fromSlonik(pool) or ' +
      'fromTypeorm(dataSource), from @oncekey/postgres/drizzle, /knex, /kysely, /mikro-orm, ' +
      '/pglite, /pg-promise, /postgres-js, /prisma, /sequelize, /slonik and /typeorm.',
  )
}

/**
 * Whether this is a pool, or what a library makes of one: each statement may get another session
 * there, and is committed by itself.
 */
export function isManySessions(client: object): boolean {
  const has = (name: string): boolean => typeof Reflect.get(client, name) === 'function'
  if ((has('connect') && 'totalCount' in client) || 'poolSize' in client) return true
  return bridges.some(({ shape }) => shape(Object(client), has))
}

/**
 * Clients that cannot be used without a bridge, recognised so that the error can name the bridge.
 */
const bridges: readonly {
  shape(client: Record<string, unknown>, has: (name: string) => boolean): boolean
  readonly say: string
}[] = [
  {
    shape: (client, has) => '_' in client && has('transaction') && has('refreshMaterializedView'),
    say: 'this is a Drizzle database. Write fromDrizzle(db), from @oncekey/postgres/drizzle.',
  },
  {
    shape: (_, has) => has('selectFrom') && has('getExecutor'),
    say: 'this is a Kysely instance. Write fromKysely(db, { pool }), from @oncekey/postgres/kysely.',
  },
  {
    shape: (client, has) => has('raw') && has('transaction') && 'client' in client,
    say: 'this is a Knex. Write fromKnex(knex), from @oncekey/postgres/knex.',
  },
  {
    shape: (_, has) => has('unsafe') && (has('begin') || has('savepoint') || has('release')),
    say: 'this is of postgres.js. Write fromPostgresJs(sql), from @oncekey/postgres/postgres-js.',
  },
  {
    shape: (_, has) => has('execProtocol'),
    say: 'this is a PGlite database. Write fromPglite(db), from @oncekey/postgres/pglite.',
  },
  {
    shape: (_, has) => has('createQueryRunner') && has('getRepository'),
    say: 'this is a DataSource of TypeORM. Write fromTypeorm(dataSource), from @oncekey/postgres/typeorm.',
  },
  {
    shape: (_, has) => has('$transaction') && has('$queryRawUnsafe'),
    say: 'this is a PrismaClient. Write fromPrisma(prisma, { pool }), from @oncekey/postgres/prisma.',
  },
  {
    shape: (client, has) => 'connectionManager' in client && has('transaction'),
    say: 'this is a Sequelize. Write fromSequelize(sequelize), from @oncekey/postgres/sequelize.',
  },
  {
    shape: (_, has) => has('maybeOneFirst') && has('transaction'),
    say: 'this is a pool of Slonik. Write fromSlonik(pool), from @oncekey/postgres/slonik.',
  },
  {
    shape: (client, has) => '$pool' in client && has('tx'),
    say: 'this is of pg-promise. Write fromPgPromise(db), from @oncekey/postgres/pg-promise.',
  },
  {
    shape: ({ em }) => typeof Object(em).getConnection === 'function',
    say: 'this is a MikroORM. Write fromMikroOrm(orm), from @oncekey/postgres/mikro-orm.',
  },
]

function notPrepared(): OptionsError {
  return new OptionsError(
    'prepare: a bridge sends statements in the way of its library. Leave `prepare` off; it is for a ' +
      'Pool of the package "pg".',
  )
}
