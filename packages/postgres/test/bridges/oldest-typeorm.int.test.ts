import { randomUUID } from 'node:crypto'
import { postgresStore } from '@oncekey/postgres'
import { fromTypeorm } from '@oncekey/postgres/typeorm'
import { DataSource, type EntityManager, EntitySchema, EventSubscriber } from 'typeorm0-3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const Order = new EntitySchema<{ id: string }>({
  name: 'orders',
  columns: { id: { type: 'text', primary: true } },
})

// A bug: 0.3.20 counts a transaction as open before it sends START TRANSACTION, which was then
// refused as a handler's own: every request was answered 503.
describe('TypeORM 0.3.20', () => {
  const database = testDatabase()
  const heard: string[] = []
  let dataSource: DataSource

  beforeAll(async () => {
    class Subscriber {
      async afterTransactionStart({ manager }: { manager: EntityManager }) {
        await manager.query('select 1')
        heard.push('start')
      }
      afterTransactionCommit(): void {
        heard.push('commit')
      }
    }
    EventSubscriber()(Subscriber)
    dataSource = new DataSource({
      type: 'postgres',
      url: database.url(),
      entities: [Order],
      installExtensions: false,
      subscribers: [Subscriber],
    })
    await dataSource.initialize()
  })
  afterAll(() => dataSource.destroy())

  async function begin() {
    const store = postgresStore({ client: fromTypeorm(dataSource) })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const manager = await attempt.transaction()
    const id = randomUUID()
    await manager.insert(Order, { id })
    return { store, claim, attempt, manager, id }
  }

  test('commits what a handler wrote with the response, and tells subscribers', async () => {
    const { store, claim, attempt, manager, id } = await begin()
    const undone = manager.transaction(async (inner) => {
      await inner.insert(Order, { id: randomUUID() })
      throw new Error('only this part')
    })
    await expect(undone).rejects.toThrow('only this part')
    expect(await manager.count(Order)).toBe(1)
    expect(await attempt.complete(kept('done'))).toBe('stored')
    // A savepoint is a start, too.
    expect(heard).toEqual(['start', 'start', 'commit'])
    expect(await database.hasOrder(id)).toBe(true)
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
  })

  test('undoes it with a refusal', async () => {
    const { store, claim, attempt, id } = await begin()
    expect(await attempt.complete(refused('no'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(false)
    expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
  })

  test('refuses START TRANSACTION and COMMIT of a handler', async () => {
    const { attempt, manager, id } = await begin()
    for (const text of ['START TRANSACTION', 'COMMIT']) {
      await expect(manager.query(text)).rejects.toThrow(
        'on the transaction of an idempotent request',
      )
    }
    await attempt.release()
    expect(await database.hasOrder(id)).toBe(false)
  })
})
