import { postgresStore } from '@oncekey/postgres'
import { fromPrisma } from '@oncekey/postgres/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { Pool } from 'pg'
import { type Prisma, PrismaClient } from '../prisma/generated/client.ts'

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
pool.on('error', console.error)
export const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
export const store = postgresStore({ client: fromPrisma(prisma, { pool }) })

// const tx = await once.of(req).transaction()
export const place = (tx: Prisma.TransactionClient, id: string) => tx.order.create({ data: { id } })
