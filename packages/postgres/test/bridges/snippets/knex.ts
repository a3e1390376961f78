import { postgresStore } from '@oncekey/postgres'
import { fromKnex } from '@oncekey/postgres/knex'
import createKnex, { type Knex } from 'knex'

export const knex: Knex = createKnex({ client: 'pg', connection: process.env.DATABASE_URL ?? '' })
export const store = postgresStore({ client: fromKnex(knex) })

// const trx = await once.of(req).transaction()
export const place = (trx: Knex.Transaction, item: string) => trx('orders').insert({ item })
