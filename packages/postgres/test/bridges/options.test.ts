import { MikroORM } from '@mikro-orm/postgresql'
import { OptionsError } from '@oncekey/core'
import { type PostgresClient, postgresStore } from '@oncekey/postgres'
import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { fromKnex } from '@oncekey/postgres/knex'
import { fromKysely, type KyselyOptions } from '@oncekey/postgres/kysely'
import { fromMikroOrm } from '@oncekey/postgres/mikro-orm'
import { fromPgPromise } from '@oncekey/postgres/pg-promise'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import { fromPrisma } from '@oncekey/postgres/prisma'
import { fromSequelize } from '@oncekey/postgres/sequelize'
import { fromSlonik, slonikDriver } from '@oncekey/postgres/slonik'
import { fromTypeorm } from '@oncekey/postgres/typeorm'
import { PrismaPg } from '@prisma/adapter-pg'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleOnProxy } from 'drizzle-orm/pg-proxy'
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js'
import createKnex from 'knex'
import { DummyDriver, Kysely, PostgresDialect, SqliteAdapter, SqliteDialect } from 'kysely'
import { Client, Pool } from 'pg'
import pgPromise from 'pg-promise'
import postgres from 'postgres'
import { Sequelize } from 'sequelize'
import { createPool } from 'slonik'
import { DataSource } from 'typeorm'
import { describe, expect, test } from 'vitest'
import { PrismaClient } from './prisma/generated/client.ts'

// None of these ever connects, because options are validated before a connection is opened.
const pool = new Pool({ max: 7 })
const sql = postgres({ max: 7 })
const knex = createKnex({ client: 'pg', connection: {}, pool: { max: 7 } })
const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
const dataSource = new DataSource({ type: 'postgres' })
const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
const sequelize = new Sequelize({ dialect: 'postgres', pool: { max: 7 } })
const promising = pgPromise()({ max: 7 })
// Only the driver of Slonik connects, and this one is none.
const noDriver = () => Promise.resolve({ createClient: () => Promise.reject(new Error('none')) })
const slonik = await createPool('', { driverFactory: slonikDriver(noDriver), maximumPoolSize: 7 })
const losing = await createPool('', { driverFactory: noDriver })
const orm = MikroORM.initSync({
  clientUrl: 'postgres://localhost/never',
  discovery: { warnWhenNoEntities: false },
  pool: { max: 7 },
})

describe('postgresStore', () => {
  test.each([
    ['Drizzle', drizzle({ client: pool }), 'fromDrizzle(db), from @oncekey/postgres/drizzle'],
    ['Knex', knex, 'fromKnex(knex), from @oncekey/postgres/knex'],
    ['Kysely', kysely, 'fromKysely(db, { pool }), from @oncekey/postgres/kysely'],
    ['postgres.js', sql, 'fromPostgresJs(sql), from @oncekey/postgres/postgres-js'],
    ['TypeORM', dataSource, 'fromTypeorm(dataSource), from @oncekey/postgres/typeorm'],
    ['Prisma', prisma, 'fromPrisma(prisma, { pool }), from @oncekey/postgres/prisma'],
    ['Sequelize', sequelize, 'fromSequelize(sequelize), from @oncekey/postgres/sequelize'],
    ['Slonik', slonik, 'fromSlonik(pool), from @oncekey/postgres/slonik'],
    ['pg-promise', promising, 'fromPgPromise(db), from @oncekey/postgres/pg-promise'],
    ['MikroORM', orm, 'fromMikroOrm(orm), from @oncekey/postgres/mikro-orm'],
  ])('recognizes %s by its shape and says what to write', (_, client, message) => {
    const store = () => postgresStore({ client: client as unknown as PostgresClient })
    expect(store).toThrow(OptionsError)
    expect(store).toThrow(message)
  })

  test('lists every bridge if it does not recognize the client', () => {
    const store = () => postgresStore({ client: {} as PostgresClient })
    const orms = ['Drizzle', 'Kysely', 'MikroOrm', 'Prisma', 'Sequelize', 'Slonik', 'Typeorm']
    for (const name of [...orms, 'Knex', 'Pglite', 'PgPromise', 'PostgresJs']) {
      expect(store).toThrow(`from${name}(`)
    }
  })

  // A bug: the store's claims ran in a transaction that was left open on the pool's connection and
  // was never committed.
  test('refuses a postgres.js that leaves transactions open, on Drizzle too', () => {
    // postgres.js reads this option, but its types lack it.
    const piping = (max_pipeline: number) => postgres({ max: 7, max_pipeline } as { max: number })
    const unpiped = piping(0)
    const sentence = /max_pipeline is 0\..*write max_pipeline: 10_000/
    expect(() => fromPostgresJs(unpiped)).toThrow(sentence)
    expect(() => fromDrizzle(drizzleOnPostgresJs({ client: unpiped }))).toThrow(sentence)
    expect(() => fromPostgresJs(piping(3))).toThrow(/max_pipeline is 3\./)
    expect(() => fromPostgresJs(piping(10_000))).not.toThrow()
  })

  // A bug: such a function got the raw rows of Oncekey, too, and each claim left its transaction
  // open.
  test('refuses postgres.js with a function that changes rows', () => {
    const sentence = /^fromPostgresJs: transform\.row changes raw rows, too/
    const changing = (transform: object) => postgres({ transform })
    expect(() => fromPostgresJs(changing({ row: (row: object) => row }))).toThrow(sentence)
    expect(() => fromPostgresJs(changing({ row: { from: (row: object) => row } }))).toThrow(
      sentence,
    )
    expect(() => fromPostgresJs(changing(postgres.camel))).not.toThrow()
    expect(() => fromPostgresJs(changing({ undefined: null }))).not.toThrow()
  })

  test('refuses `prepare` through a bridge', () => {
    expect(() => postgresStore({ client: fromPostgresJs(sql), prepare: true })).toThrow(
      /^prepare: .*Leave `prepare` off/,
    )
  })
})

describe('the size of the pool', () => {
  test.each([
    ['Drizzle on pg', fromDrizzle(drizzle({ client: pool }))],
    ['Drizzle on postgres.js', fromDrizzle(drizzleOnPostgresJs({ client: sql }))],
    ['Knex', fromKnex(knex)],
    ['Knex on a Pool', fromKnex(createKnex({ client: 'pg', connectionPool: pool }))],
    ['Kysely', fromKysely(kysely, { pool })],
    ['Kysely with poolSize', fromKysely(kysely, { poolSize: 7 })],
    ['MikroORM', fromMikroOrm(orm)],
    ['pg-promise', fromPgPromise(promising)],
    ['postgres.js', fromPostgresJs(sql)],
    ['Prisma', fromPrisma(prisma, { pool })],
    ['Sequelize', fromSequelize(sequelize)],
    ['Slonik', fromSlonik(slonik)],
  ])('of %s is taken from the library', (_, client) => {
    expect(client).toMatchObject({ concurrency: 'many', poolSize: 7 })
  })

  test('of Kysely alone is the default of pg', () => {
    expect(fromKysely(kysely).poolSize).toBe(10)
  })
})

describe('a bridge', () => {
  const options = (value: object) => value as KyselyOptions
  const sqlite = new Kysely<object>({
    dialect: Object.assign(new SqliteDialect({ database: {} as never }), {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
    }),
  })

  test.each<[string, (wrong: never) => unknown, unknown, RegExp]>([
    ['fromDrizzle', fromDrizzle, kysely, /what drizzle\(…\) of.* returned/],
    ['fromDrizzle', fromDrizzle, pool, /what drizzle\(…\) of.* returned/],
    ['fromDrizzle', fromDrizzle, undefined, /what drizzle\(…\) of.* returned/],
    ['fromDrizzle', fromDrizzle, drizzle({ client: new Client() }), /client: new Pool/],
    ['fromDrizzle', fromDrizzle, drizzleOnProxy(async () => ({ rows: [] })), /client: new Pool/],
    ['fromKnex', fromKnex, pool, /Write fromKnex\(Knex\(/],
    ['fromKnex', fromKnex, undefined, /Write fromKnex\(Knex\(/],
    ['fromKnex', fromKnex, createKnex({ client: 'pg' }), /has no pool/],
    ['fromKysely', fromKysely, pool, /new Kysely\(/],
    ['fromKysely', fromKysely, undefined, /new Kysely\(/],
    ['fromKysely', fromKysely, sqlite, /for another database \(SqliteAdapter\)/],
    ['fromMikroOrm', fromMikroOrm, pool, /fromMikroOrm\(await MikroORM.init/],
    ['fromMikroOrm', fromMikroOrm, undefined, /fromMikroOrm\(await MikroORM.init/],
    ['fromMikroOrm', fromMikroOrm, { em: { getConnection: () => ({}) } }, /Use version 6/],
    ['fromPgPromise', fromPgPromise, pool, /fromPgPromise\(pgPromise\(\)/],
    ['fromPgPromise', fromPgPromise, undefined, /fromPgPromise\(pgPromise\(\)/],
    ['fromPrisma', (wrong) => fromPrisma(wrong, { pool }), pool, /new PrismaClient\(/],
    ['fromPrisma', (wrong) => fromPrisma(wrong, { pool }), undefined, /new PrismaClient\(/],
    ['fromPrisma', (wrong) => fromPrisma(prisma, wrong), undefined, /new PrismaPg\(pool\)/],
    ['fromPrisma', (wrong) => fromPrisma(prisma, wrong), { pool: {} }, /new PrismaPg\(pool\)/],
    ['fromSequelize', fromSequelize, pool, /fromSequelize\(new Sequelize\(/],
    ['fromSequelize', fromSequelize, undefined, /fromSequelize\(new Sequelize\(/],
    [
      'fromSequelize',
      fromSequelize,
      { ...sequelize, getDialect: () => 'mysql', connectionManager: sequelize.connectionManager },
      /uses the dialect "mysql"/,
    ],
    ['fromSlonik', fromSlonik, pool, /fromSlonik\(await createPool\(/],
    ['fromSlonik', fromSlonik, undefined, /fromSlonik\(await createPool\(/],
    ['fromSlonik', fromSlonik, losing, /driverFactory: slonikDriver\(createPgDriverFactory/],
    ['fromPostgresJs', fromPostgresJs, pool, /fromPostgresJs\(postgres\(url\)\)/],
    ['fromPostgresJs', fromPostgresJs, undefined, /fromPostgresJs\(postgres\(url\)\)/],
    ['fromPostgresJs', fromPostgresJs, postgres, /fromPostgresJs\(postgres\(url\)\)/],
    ['fromTypeorm', fromTypeorm, pool, /fromTypeorm\(dataSource\)/],
    ['fromTypeorm', fromTypeorm, undefined, /fromTypeorm\(dataSource\)/],
    ['fromTypeorm', fromTypeorm, dataSource, /await dataSource.initialize\(\)/],
  ])('%s refuses what it was not made for and says what to write', (_, bridge, wrong, message) => {
    expect(() => bridge(wrong as never)).toThrow(OptionsError)
    expect(() => bridge(wrong as never)).toThrow(message)
  })

  test('fromKysely validates its options', () => {
    expect(() => fromKysely(kysely, { poolSize: 0 })).toThrow(/poolSize: 0.*`max` of the pool/)
    expect(() => fromKysely(kysely, options({ pool: {} }))).toThrow(/pool: this is not a Pool/)
  })

  test('fromKysely adds one listener to each client of the pool', () => {
    const listened = new Pool()
    for (let time = 0; time < 3; time += 1) fromKysely(kysely, { pool: listened })
    const client = new Client()
    for (let time = 0; time < 3; time += 1) listened.emit('acquire', client)
    expect(client.listenerCount('error')).toBe(1)
  })
})
