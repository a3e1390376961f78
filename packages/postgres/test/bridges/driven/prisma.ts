import { fromPrisma } from '@oncekey/postgres/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { type Prisma, PrismaClient } from '../prisma/generated/client.ts'
import type { Bridge, BridgeUnderTest } from './bridge.ts'
import { pgPool } from './pg-pool.ts'

export const prismaBridge: BridgeUnderTest = {
  name: 'Prisma',
  async open(options) {
    const { pool, exhaust, end } = pgPool(options)
    const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
    // Loads the query compiler.
    await prisma.$connect()
    const bridge: Bridge<Prisma.TransactionClient> = {
      client: fromPrisma(prisma, { pool }),
      insert: (tx, id) => tx.order.create({ data: { id } }),
      count: (tx, id) => tx.order.count({ where: { id } }),
      async raw(tx, text) {
        if (!text.includes(';')) return await tx.$queryRawUnsafe(text)
        // Prisma takes no rows from several statements.
        await tx.$executeRawUnsafe(text)
        return []
      },
      later(tx, id) {
        const insert = tx.order.create({ data: { id } })
        return () => insert.then()
      },
      nested: (tx, work) => tx.$transaction((inner) => work(inner)),
      isOwn: (tx) => typeof tx.order.create === 'function' && !('$connect' in tx),
      ends: () => [],
      exhaust,
      async end() {
        await prisma.$disconnect()
        await end()
      },
    }
    return bridge as Bridge
  },
}
