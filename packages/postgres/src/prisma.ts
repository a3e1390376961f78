export { fromPrisma, type PrismaDatabase, type PrismaOptions } from './bridges/on-pg/prisma.ts'
