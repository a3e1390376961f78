import { randomUUID } from 'node:crypto'
import { EntitySchema, MikroORM } from '@mikro-orm/postgresql'
import type { Attempt } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { fromMikroOrm } from '@oncekey/postgres/mikro-orm'
import { fromPgPromise } from '@oncekey/postgres/pg-promise'
import { fromPrisma } from '@oncekey/postgres/prisma'
import { fromSequelize } from '@oncekey/postgres/sequelize'
import { waitFor } from '@oncekey/test-servers'
import { PrismaPg } from '@prisma/adapter-pg'
import type { Pool } from 'pg'
import pgPromise, { type ITask } from 'pg-promise'
import { Sequelize } from 'sequelize'
import { beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { codeOf } from './open-transactions.ts'
import { type Prisma, PrismaClient } from './prisma/generated/client.ts'

const database = testDatabase()
beforeAll(() =>
  database.query('create table order_lines (id text primary key, order_id text not null)'),
)

describe('Prisma', () => {
  async function begin() {
    const pool = database.pool({ max: 3 })
    const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
    const store = postgresStore({ client: fromPrisma(prisma, { pool }) })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    return { pool, prisma, store, claim, attempt, tx: await attempt.transaction() }
  }

  test('on another pool than the one that was named is an error that says so', async () => {
    const adapter = new PrismaPg({ connectionString: database.url() })
    const prisma = new PrismaClient({ adapter })
    const store = postgresStore({ client: fromPrisma(prisma, { pool: database.pool() }) })
    await expect(store.begin(claimOf())).rejects.toMatchObject({
      cause: expect.objectContaining({
        message: expect.stringContaining('did not take a client from this pool'),
      }),
    })
    await prisma.$disconnect()
  })

  // As Nest's services are made.
  test('takes a class that extends the client, if its adapter has the pool', async () => {
    class PrismaService extends PrismaClient {
      constructor(at: Pool | { readonly connectionString: string }) {
        super({ adapter: new PrismaPg(at) })
      }
    }
    const pool = database.pool()
    const storeOn = (prisma: PrismaService) =>
      postgresStore({ client: fromPrisma(prisma, { pool }) })
    const attempt = attemptOf(await storeOn(new PrismaService(pool)).begin(claimOf()))
    const tx: Prisma.TransactionClient = await attempt.transaction()
    const id = randomUUID()
    await tx.order.create({ data: { id } })
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)

    const other = new PrismaService({ connectionString: database.url() })
    await expect(storeOn(other).begin(claimOf())).rejects.toMatchObject({
      cause: { message: expect.stringContaining('did not take a client from this pool') },
    })
    await other.$disconnect()
  })

  // A bug: nothing bounded that wait, and the claim kept its connection and its key meanwhile.
  test('is not waited for if it was made with another pool that lends nothing', async () => {
    const other = database.pool({ max: 1 })
    const taken = await other.connect()
    const prisma = new PrismaClient({ adapter: new PrismaPg(other) })
    const pool = database.pool({ max: 1 })
    const client = fromPrisma(prisma, { pool })
    const store = postgresStore({ client, acquireTimeoutMs: 500 })
    await expect(store.begin(claimOf())).rejects.toMatchObject({ code: 'store-busy' })
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    taken.release()
    await prisma.$disconnect()
  })

  test('rejects what it did not send because a query beside it failed', async () => {
    const { attempt, tx } = await begin()
    const id = randomUUID()
    await tx.order.create({ data: { id } })
    const both = [id, randomUUID()].map((each) => tx.order.create({ data: { id: each } }))
    const [first, second] = await Promise.allSettled(both)
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'P2002' } })
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'transaction-aborted' } })
    await attempt.release()
  })

  test('writes nothing after the response, in the middle of a nested write either', async () => {
    const { attempt, tx, store, claim } = await begin()
    const id = randomUUID()
    const lines = { create: Array.from({ length: 5 }, () => ({ id: randomUUID() })) }
    const write = tx.order.create({ data: { id, lines } }).then(
      () => 'written',
      (error) => codeOf(error),
    )
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(['written', 'transaction-over']).toContain(await write)
    const [counted] = await database.query<{ count: number }>(
      'select count(*)::int from order_lines where order_id = $1',
      [id],
    )
    if ((await write) === 'written') expect(counted).toEqual({ count: 5 })
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
  })

  test('sends a list of queries in the transaction', async () => {
    const { attempt, tx } = await begin()
    const ids = [randomUUID(), randomUUID()]
    const list = ids.map((id) => tx.order.create({ data: { id } }))
    expect(await tx.$transaction(list)).toHaveLength(2)
    await attempt.release()
    for (const id of ids) expect(await database.hasOrder(id)).toBe(false)
  })

  test('keeps what its client was extended with', async () => {
    const pool = database.pool()
    const prisma = new PrismaClient({ adapter: new PrismaPg(pool) }).$extends({
      model: { order: { mine: () => 'mine' } },
    })
    const store = postgresStore({ client: fromPrisma(prisma, { pool }) })
    const attempt = attemptOf(await store.begin(claimOf()))
    const tx = await attempt.transaction()
    const id = randomUUID()
    await tx.order.create({ data: { id } })
    expect(tx.order.mine()).toBe('mine')
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)
  })

  test('uses its pool as before for everything else', async () => {
    const { attempt, prisma, tx } = await begin()
    const [mine, other] = [randomUUID(), randomUUID()]
    await tx.order.create({ data: { id: mine } })
    await prisma.$transaction((apart) => apart.order.create({ data: { id: other } }))
    expect(await database.hasOrder(other)).toBe(true)
    expect(await prisma.order.count({ where: { id: mine } })).toBe(0)
    await attempt.release()
  })
})

test('pg-promise is told the end of every transaction, however it ends', async () => {
  let open = 0
  const connect = () => void open++
  const db = pgPromise({ noWarnings: true, connect, disconnect: () => void open-- })(database.url())
  db.$pool.on('error', () => {})
  const store = postgresStore({ client: fromPgPromise(db) })
  const ends: ((attempt: Attempt<ITask<object>>) => Promise<unknown>)[] = [
    (attempt) => attempt.complete(kept('done')),
    (attempt) => attempt.complete(refused('no')),
    (attempt) => attempt.release(),
    (attempt) => attempt.abandon(),
    async (attempt) => {
      await (await attempt.transaction()).any('select 1 / 0').catch(() => {})
      await expect(attempt.complete(kept('done'))).rejects.toThrow()
    },
    async (attempt) => {
      const end = 'select pg_terminate_backend(pg_backend_pid())'
      await (await attempt.transaction()).any(end).catch(() => {})
      await expect(attempt.complete(kept('done'))).rejects.toThrow()
    },
  ]
  for (const end of ends) {
    const attempt = attemptOf(await store.begin(claimOf()))
    await attempt.transaction()
    expect(open).toBe(1)
    await end(attempt)
    await waitFor(() => open === 0, { what: 'pg-promise to let go of its client' })
  }
  await db.$pool.end()
})

test('Sequelize calls afterCommit once the response is on record, and not after an undo', async () => {
  const sequelize = new Sequelize(database.url(), { dialect: 'postgres', logging: false })
  const store = postgresStore({ client: fromSequelize(sequelize) })
  const told: string[] = []
  const attempt = attemptOf(await store.begin(claimOf()))
  ;(await attempt.transaction()).afterCommit(() => void told.push('kept'))
  expect(await attempt.complete(kept('done'))).toBe('stored')
  const other = attemptOf(await store.begin(claimOf()))
  ;(await other.transaction()).afterCommit(() => void told.push('undone'))
  await other.release()
  expect(told).toEqual(['kept'])
  await sequelize.close()
})

test('Sequelize whose own time for a connection is up is a pool that is busy', async () => {
  const pool = { max: 1, acquire: 300 }
  const sequelize = new Sequelize(database.url(), { dialect: 'postgres', logging: false, pool })
  const store = postgresStore({ client: fromSequelize(sequelize), maxConcurrent: 1 })
  const { connectionManager: manager } = sequelize
  const taken = await manager.getConnection({ type: 'write' })
  await expect(store.begin(claimOf())).rejects.toMatchObject({
    code: 'store-busy',
    message: expect.stringContaining('Operation timeout'),
  })
  manager.releaseConnection(taken)
  await attemptOf(await store.begin(claimOf())).release()
  await sequelize.close()
  await expect(store.begin(claimOf())).rejects.toMatchObject({ code: 'store-unavailable' })
})

test('MikroORM flushes what is pending before COMMIT, and an error of it fails the request', async () => {
  const Order = new EntitySchema<{ id: string }>({
    name: 'Order',
    tableName: 'orders',
    properties: { id: { type: 'text', primary: true } },
  })
  const orm = await MikroORM.init({
    clientUrl: database.url(),
    entities: [Order],
    logger: () => {},
  })
  const store = postgresStore({ client: fromMikroOrm(orm) })
  const id = randomUUID()
  const attempt = attemptOf(await store.begin(claimOf()))
  const em = await attempt.transaction()
  em.persist(em.create(Order, { id }))
  expect(await attempt.complete(kept('done'))).toBe('stored')
  expect(await database.hasOrder(id)).toBe(true)

  const other = attemptOf(await store.begin(claimOf()))
  const again = await other.transaction()
  again.persist(again.create(Order, { id }))
  await expect(other.complete(kept('done'))).rejects.toMatchObject({ code: 'transaction-aborted' })
  await orm.close(true)
})
