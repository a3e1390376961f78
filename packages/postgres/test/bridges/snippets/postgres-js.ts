import { postgresStore } from '@oncekey/postgres'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import postgres, { type TransactionSql } from 'postgres'

export const sql = postgres(process.env.DATABASE_URL ?? '')
export const store = postgresStore({ client: fromPostgresJs(sql) })

// const tx = await once.of(req).transaction()
export const place = (tx: TransactionSql, item: string) =>
  tx`insert into orders ${tx({ item })} returning *`
