import { postgresStore } from '@oncekey/postgres'
import { fromPgPromise } from '@oncekey/postgres/pg-promise'
import pgPromise, { type IDatabase, type ITask } from 'pg-promise'

export const db: IDatabase<object> = pgPromise()(process.env.DATABASE_URL ?? '')
export const store = postgresStore({ client: fromPgPromise(db) })

// const t = await once.of(req).transaction()
export const place = (t: ITask<object>, item: string) =>
  t.one('insert into orders (item) values ($1) returning *', [item])
