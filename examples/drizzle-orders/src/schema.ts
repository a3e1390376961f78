import { integer, pgTable, serial, text } from 'drizzle-orm/pg-core'

export const stock = pgTable('stock', {
  item: text().primaryKey(),
  left: integer().notNull(),
})

export const orders = pgTable('orders', {
  id: serial().primaryKey(),
  item: text().notNull(),
  buyer: text().notNull(),
})
