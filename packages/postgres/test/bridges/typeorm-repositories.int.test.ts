import { randomUUID } from 'node:crypto'
import { postgresStore } from '@oncekey/postgres'
import { fromTypeorm } from '@oncekey/postgres/typeorm'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attemptOf, claimOf, refused } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { Order } from './driven/typeorm.ts'

// What `@InjectRepository` of @nestjs/typeorm injects is `dataSource.getRepository(Entity)`.
describe('a repository of the DataSource', () => {
  const database = testDatabase()
  let source: DataSource
  beforeAll(async () => {
    source = new DataSource({ type: 'postgres', url: database.url(), entities: [Order] })
    await source.initialize()
  })
  afterAll(() => source.destroy())

  test('writes outside of the transaction, and through the manager inside of it', async () => {
    const injected = source.getRepository(Order)
    const store = postgresStore({ client: fromTypeorm(source) })
    const attempt = attemptOf(await store.begin(claimOf()))
    const manager = await attempt.transaction()
    const [outside, inside, afresh] = [randomUUID(), randomUUID(), randomUUID()]
    await injected.insert({ id: outside })
    await manager.withRepository(injected).insert({ id: inside })
    await manager.getRepository(Order).insert({ id: afresh })
    expect(await attempt.complete(refused('no'))).toBe('stored')

    expect(await database.hasOrder(outside)).toBe(true)
    expect(await database.hasOrder(inside)).toBe(false)
    expect(await database.hasOrder(afresh)).toBe(false)
  })
})
