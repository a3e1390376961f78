import { postgresStore } from '@oncekey/postgres'
import { fromSlonik, slonikDriver } from '@oncekey/postgres/slonik'
import { createPgDriverFactory } from '@slonik/pg-driver'
import { createPool, type DatabasePool, type DatabaseTransactionConnection, sql } from 'slonik'

const driverFactory = slonikDriver(createPgDriverFactory())
export const pool: DatabasePool = await createPool(process.env.DATABASE_URL ?? '', {
  driverFactory,
})
export const store = postgresStore({ client: fromSlonik(pool) })

// const tx = await once.of(req).transaction()
export const place = (tx: DatabaseTransactionConnection, item: string) =>
  tx.one(sql.unsafe`insert into orders (item) values (${item}) returning *`)
