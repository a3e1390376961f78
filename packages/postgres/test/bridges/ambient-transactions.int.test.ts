import { randomUUID } from 'node:crypto'
import { EntitySchema, MikroORM, RequestContext, Transactional } from '@mikro-orm/postgresql'
import { postgresStore } from '@oncekey/postgres'
import { fromMikroOrm } from '@oncekey/postgres/mikro-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attemptOf, claimOf, kept, refused } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const Order = new EntitySchema<{ id: string }>({
  name: 'Order',
  tableName: 'orders',
  properties: { id: { type: 'text', primary: true } },
})

// What an application has that finds its manager by the context: as MikroOrmModule of
// @mikro-orm/nestjs injects managers and repositories, and makes a context for each request.
describe("MikroORM's current manager", () => {
  const database = testDatabase()
  let orm: MikroORM
  beforeAll(async () => {
    orm = await MikroORM.init({
      clientUrl: database.url(),
      entities: [Order],
      logger: () => {},
    })
  })
  afterAll(() => orm.close(true))

  const begun = async () =>
    attemptOf(await postgresStore({ client: fromMikroOrm(orm) }).begin(claimOf()))

  /** A method of a service, decorated as TypeScript does it. */
  async function place(id: string, isToFail = false): Promise<void> {
    const service = {
      em: orm.em,
      async place() {
        orm.em.create(Order, { id })
        await orm.em.flush()
        if (isToFail) throw new Error('no')
      },
    }
    const described = Object.getOwnPropertyDescriptor(service, 'place') as PropertyDescriptor
    Transactional()(service, 'place', described as never)
    await described.value.call(service)
  }

  test('writes outside of the transaction, decorated or not', async () => {
    const attempt = await begun()
    await attempt.transaction()
    const [plain, decorated] = [randomUUID(), randomUUID()]
    await RequestContext.create(orm.em, async () => {
      await orm.em.getRepository(Order).insert({ id: plain })
      await place(decorated)
    })
    expect(await attempt.complete(refused('no'))).toBe('stored')

    expect(await database.hasOrder(plain)).toBe(true)
    expect(await database.hasOrder(decorated)).toBe(true)
  })

  test('writes outside of it in a RequestContext that is made of its manager', async () => {
    const attempt = await begun()
    const em = await attempt.transaction()
    const id = randomUUID()
    await RequestContext.create(em, () => place(id))
    expect(await attempt.complete(refused('no'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)
  })

  test.each([
    { answer: kept('yes'), isKept: true },
    { answer: refused('no'), isKept: false },
  ])(
    'is in the transaction within em.transactional of its manager (kept: $isKept)',
    async ({ answer, isKept }) => {
      const attempt = await begun()
      const em = await attempt.transaction()
      const ids = Array.from({ length: 4 }, () => randomUUID()) as [string, string, string, string]
      const [plain, decorated, undone, unflushed] = ids
      await RequestContext.create(orm.em, () =>
        em.transactional(async () => {
          await orm.em.getRepository(Order).insert({ id: plain })
          await place(decorated)
          await expect(place(undone, true)).rejects.toThrow('no')
          orm.em.create(Order, { id: unflushed })
        }),
      )
      expect(await database.hasOrder(plain)).toBe(false)
      expect(await attempt.complete(answer)).toBe('stored')

      const there = await Promise.all(ids.map((id) => database.hasOrder(id)))
      expect(there).toEqual([isKept, isKept, false, isKept])
    },
  )
})
