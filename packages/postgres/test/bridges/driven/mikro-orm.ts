import { EntitySchema, MikroORM, SqlEntityManager } from '@mikro-orm/postgresql'
import { fromMikroOrm } from '@oncekey/postgres/mikro-orm'
import type { Bridge, BridgeUnderTest } from './bridge.ts'

const Order = new EntitySchema<{ id: string }>({
  name: 'Order',
  tableName: 'orders',
  properties: { id: { type: 'text', primary: true } },
})

export const mikroOrm: BridgeUnderTest = {
  name: 'MikroORM',
  async open({ url, max }) {
    const options = new URL(url).searchParams.get('options')
    const orm = await MikroORM.init({
      clientUrl: url,
      dbName: new URL(url).pathname.slice(1),
      entities: [Order],
      pool: { min: 0, max },
      logger: () => {},
      ...(options !== null && { driverOptions: { connection: { options } } }),
    })
    const knex = orm.em.getConnection('write').getKnex()
    const bridge: Bridge<SqlEntityManager> = {
      client: fromMikroOrm(orm),
      insert: (em, id) => em.insert(Order, { id }),
      count: (em, id) => em.count(Order, { id }),
      raw: (em, text) => em.execute(text),
      later(em, id) {
        const repository = em.getRepository(Order)
        return () => repository.insert({ id })
      },
      nested: (em, work) => em.transactional((inner) => work(inner as SqlEntityManager)),
      isOwn: (em) => em instanceof SqlEntityManager && em.isInTransaction(),
      ends: (em) => [() => em.begin(), () => em.commit(), () => em.rollback()],
      async exhaust() {
        const connections = await Promise.all(
          Array.from({ length: max }, () => knex.client.acquireConnection()),
        )
        return () => {
          for (const connection of connections) knex.client.releaseConnection(connection)
        }
      },
      end: () => orm.close(true),
    }
    return bridge as Bridge
  },
}
