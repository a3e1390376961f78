import type { PGlite, Transaction as PgliteTransaction } from '@electric-sql/pglite'
import type { MikroORM, SqlEntityManager } from '@mikro-orm/postgresql'
import type { Store } from '@oncekey/core'
import { migrate, postgresStore, purge } from '@oncekey/postgres'
import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { fromKnex } from '@oncekey/postgres/knex'
import { fromKysely } from '@oncekey/postgres/kysely'
import { fromMikroOrm } from '@oncekey/postgres/mikro-orm'
import { fromPgPromise } from '@oncekey/postgres/pg-promise'
import { fromPglite } from '@oncekey/postgres/pglite'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import { fromPrisma } from '@oncekey/postgres/prisma'
import { fromSequelize } from '@oncekey/postgres/sequelize'
import { fromSlonik, slonikDriver } from '@oncekey/postgres/slonik'
import { fromTypeorm } from '@oncekey/postgres/typeorm'
import type { createPgDriverFactory } from '@slonik/pg-driver'
import {
  drizzle as drizzleOnPg,
  type NodePgDatabase,
  type NodePgQueryResultHKT,
} from 'drizzle-orm/node-postgres'
import { type PgTransaction, pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle as drizzleOnPglite, type PgliteQueryResultHKT } from 'drizzle-orm/pglite'
import {
  drizzle as drizzleOnPostgresJs,
  type PostgresJsQueryResultHKT,
} from 'drizzle-orm/postgres-js'
import type { ExtractTablesWithRelations } from 'drizzle-orm/relations'
import type { Knex } from 'knex'
import type { Kysely, Transaction } from 'kysely'
import type { Pool } from 'pg'
import type { IDatabase, ITask } from 'pg-promise'
import type { Sql, TransactionSql } from 'postgres'
import type { Sequelize, Transaction as SequelizeTransaction } from 'sequelize'
import type { DatabasePool, DatabaseTransactionConnection, DriverFactory } from 'slonik'
import type { DataSource, EntityManager } from 'typeorm'
import type { Prisma, PrismaClient } from './prisma/generated/client.ts'

type Equals<One, Other> =
  (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false
const isTrue = <_ extends true>(): void => {}

declare const pool: Pool
declare const db: PGlite

// Drizzle, with the schema of the database.
const orders = pgTable('orders', { id: text().primaryKey(), item: text() })
const schema = { orders }
type Relations = ExtractTablesWithRelations<typeof schema>

const onPg = postgresStore({ client: fromDrizzle(drizzleOnPg({ client: pool, schema })) })
isTrue<Equals<typeof onPg, Store<PgTransaction<NodePgQueryResultHKT, typeof schema, Relations>>>>()
const drizzleTx = await (await onPg.open({ leaseMs: 1 })).transaction()
const [inserted] = await drizzleTx.insert(orders).values({ id: '1' }).returning()
isTrue<Equals<typeof inserted, { id: string; item: string | null } | undefined>>()
const found = await drizzleTx.query.orders.findFirst()
isTrue<Equals<typeof found, { id: string; item: string | null } | undefined>>()

const withoutSchema = () => postgresStore({ client: fromDrizzle(drizzleOnPg({ client: pool })) })
isTrue<
  Equals<
    ReturnType<typeof withoutSchema>,
    Store<Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0]>
  >
>()

const onPglite = () => fromDrizzle(drizzleOnPglite({ client: db, schema }))
isTrue<
  Equals<
    Tx<ReturnType<typeof onPglite>>,
    PgTransaction<PgliteQueryResultHKT, typeof schema, Relations>
  >
>()

declare const sql: Sql<{ bigint: bigint }>
const onPostgresJs = () => fromDrizzle(drizzleOnPostgresJs({ client: sql, schema }))
isTrue<
  Equals<
    Tx<ReturnType<typeof onPostgresJs>>,
    PgTransaction<PostgresJsQueryResultHKT, typeof schema, Relations>
  >
>()

// postgres.js, with its declared types.
const js = () => fromPostgresJs(sql)
isTrue<Equals<Tx<ReturnType<typeof js>>, TransactionSql<{ bigint: bigint }>>>()

// Kysely, with its tables.
interface Tables {
  orders: { id: string; item: string | null }
}
declare const kysely: Kysely<Tables>
const onKysely = () => postgresStore({ client: fromKysely(kysely, { poolSize: 20 }) })
isTrue<Equals<ReturnType<typeof onKysely>, Store<Transaction<Tables>>>>()
const selected = await (await (await onKysely().open({ leaseMs: 1 })).transaction())
  .selectFrom('orders')
  .select('item')
  .execute()
isTrue<Equals<typeof selected, { item: string | null }[]>>()

// Knex.
declare const knex: Knex
const onKnex = () => fromKnex(knex)
isTrue<Equals<Tx<ReturnType<typeof onKnex>>, Knex.Transaction>>()

// TypeORM.
declare const dataSource: DataSource
const onTypeorm = () => fromTypeorm(dataSource)
isTrue<Equals<Tx<ReturnType<typeof onTypeorm>>, EntityManager>>()

// Prisma, with its models.
declare const prisma: PrismaClient
const onPrisma = () => fromPrisma(prisma, { pool })
isTrue<Equals<Tx<ReturnType<typeof onPrisma>>, Prisma.TransactionClient>>()
const created = await ({} as Tx<ReturnType<typeof onPrisma>>).order.create({ data: { id: '1' } })
isTrue<Equals<typeof created, { id: string }>>()

// Sequelize.
declare const sequelize: Sequelize
const onSequelize = () => fromSequelize(sequelize)
isTrue<Equals<Tx<ReturnType<typeof onSequelize>>, SequelizeTransaction>>()

// Slonik.
declare const slonik: DatabasePool
const onSlonik = () => fromSlonik(slonik)
isTrue<Equals<Tx<ReturnType<typeof onSlonik>>, DatabaseTransactionConnection>>()
declare const slonikPg: ReturnType<typeof createPgDriverFactory>
const driverOfSlonik: DriverFactory = slonikDriver(slonikPg)
void driverOfSlonik

// pg-promise, with the extensions of the database.
declare const promising: IDatabase<{ mine: true }>
const onPgPromise = () => fromPgPromise(promising)
isTrue<Equals<Tx<ReturnType<typeof onPgPromise>>['mine'], true>>()
isTrue<Tx<ReturnType<typeof onPgPromise>> extends ITask<{ mine: true }> ? true : false>()

// MikroORM, with the methods of its SQL drivers.
declare const orm: MikroORM
const onMikroOrm = () => fromMikroOrm(orm)
isTrue<Equals<Tx<ReturnType<typeof onMikroOrm>>, SqlEntityManager>>()

// PGlite keeps its own type.
const embedded = () => fromPglite(db)
isTrue<Equals<Tx<ReturnType<typeof embedded>>, PgliteTransaction>>()

// Every function that takes a pool also takes each of these clients.
await migrate(onPglite())
await migrate(onPostgresJs(), { schema: 'mine' })
await migrate(js())
await migrate(fromKysely(kysely))
await migrate(onKnex())
await migrate(onTypeorm())
await migrate(onPrisma())
await migrate(onSequelize())
await migrate(onSlonik())
await migrate(onPgPromise())
await migrate(onMikroOrm())
await purge(onPglite(), { limit: 10 })
await purge(js())
await purge(fromKysely(kysely))
await purge(onKnex())
await purge(onTypeorm())

// @ts-expect-error Drizzle needs its bridge
postgresStore({ client: drizzleOnPg({ client: pool }) })
// @ts-expect-error
postgresStore({ client: sql })
// @ts-expect-error
postgresStore({ client: kysely })
// @ts-expect-error
postgresStore({ client: knex })
// @ts-expect-error
postgresStore({ client: dataSource })
// @ts-expect-error
postgresStore({ client: prisma })
// @ts-expect-error
postgresStore({ client: sequelize })
// @ts-expect-error
postgresStore({ client: slonik })
// @ts-expect-error
postgresStore({ client: promising })
// @ts-expect-error
postgresStore({ client: orm })
// @ts-expect-error Prisma does not expose its pool
fromPrisma(prisma)
// @ts-expect-error a transaction is not a database
fromPostgresJs({} as TransactionSql)
// @ts-expect-error
fromKysely(knex)
// @ts-expect-error
fromKysely(kysely, { max: 20 })
// @ts-expect-error each bridge takes only its own library
fromDrizzle(kysely)
// @ts-expect-error
fromTypeorm(knex)

type Tx<Client> = Client extends {
  begin(options: never): Promise<{ transaction: { handle: infer T } }>
}
  ? T
  : never
