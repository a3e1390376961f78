import { fromTypeorm } from '@oncekey/postgres/typeorm'
import { DataSource, EntityManager, EntitySchema } from 'typeorm'
import type { Bridge, BridgeUnderTest } from './bridge.ts'
import { allOf } from './pg-pool.ts'

export const Order: EntitySchema<{ id: string }> = new EntitySchema<{ id: string }>({
  name: 'orders',
  columns: { id: { type: 'text', primary: true } },
})

export const typeorm: BridgeUnderTest = {
  name: 'TypeORM',
  async open({ url, max }) {
    const dataSource = new DataSource({
      type: 'postgres',
      url,
      poolSize: max,
      entities: [Order],
      installExtensions: false,
      poolErrorHandler: () => {},
    })
    await dataSource.initialize()
    const { master } = dataSource.driver as unknown as { master: Parameters<typeof allOf>[0] }
    const bridge: Bridge<EntityManager> = {
      client: fromTypeorm(dataSource),
      insert: (manager, id) => manager.insert(Order, { id }),
      count: (manager, id) => manager.countBy(Order, { id }),
      raw: (manager, text) => manager.query(text),
      later(manager, id) {
        const repository = manager.getRepository(Order)
        return () => repository.insert({ id })
      },
      nested: (manager, work) => manager.transaction((inner) => work(inner)),
      isOwn: (manager) => manager instanceof EntityManager && manager.queryRunner !== undefined,
      ends: (manager) => [
        () => manager.release(),
        () => manager.queryRunner?.commitTransaction(),
        () => manager.queryRunner?.rollbackTransaction(),
      ],
      exhaust: () => allOf(master),
      end: () => dataSource.destroy(),
    }
    return bridge as Bridge
  },
}
