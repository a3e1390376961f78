import { PGlite, type Transaction } from '@electric-sql/pglite'
import { migrate, type SqlClient, transact } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'

/** The shop's database: the event log, and each service's own tables. */
export interface Shop {
  readonly db: PGlite
  readonly client: SqlClient<Transaction>
  placeOrder(order: Order): Promise<void>
}

export interface Order {
  readonly id: string
  readonly item: string
  readonly total: number
  readonly card: string
  readonly email: string
}

export async function openShop(): Promise<Shop> {
  const db = new PGlite()
  const client = fromPglite(db)
  await migrate(client)
  await db.exec(`
    create table orders (id text primary key, item text not null, total int not null);
    create table payments (order_id text not null, amount int not null);
    create table stock (item text primary key, left_over int not null check (left_over >= 0));
    create table reservations (order_id text not null, item text not null);
    create table ready (order_id text not null, what text not null);
    create table shipments (order_id text not null);
    create table emails (order_id text not null, address text not null);
    create table customers (order_id text primary key, email text not null);
    insert into stock values ('violin', 5), ('cello', 5);
  `)

  return {
    db,
    client,
    // The order and its event are one commit. No service is called.
    placeOrder: (order) =>
      transact(client, async (tx, emit) => {
        await tx.query('insert into orders values ($1, $2, $3)', [
          order.id,
          order.item,
          order.total,
        ])
        await tx.query('insert into customers values ($1, $2)', [order.id, order.email])
        emit({ type: 'order.created', subject: order.id, data: order })
      }),
  }
}
