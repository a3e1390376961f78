import type { ClientBase } from 'pg'

/** The work that every contender does for a POST /orders. */
export interface Order {
  readonly customer: string
  readonly item: string
  readonly cents: number
}

export interface PlacedOrder extends Order {
  readonly id: string
  readonly state: string
}

export const ORDER: Order = { customer: 'customer-17', item: 'kettle', cents: 4_900 }

export const ORDERS_TABLE = `create table orders (
  id bigint generated always as identity primary key,
  customer text not null,
  item text not null,
  cents integer not null,
  state text not null default 'placed',
  placed_at timestamptz not null default now()
)`

/** Inserts one row with one statement; all contenders use the same text. */
export async function insertOrder(
  client: Pick<ClientBase, 'query'>,
  { customer, item, cents }: Order,
): Promise<PlacedOrder> {
  const { rows } = await client.query<PlacedOrder>(
    'insert into orders (customer, item, cents) values ($1, $2, $3) returning id, customer, item, cents, state',
    [customer, item, cents],
  )
  return rows[0] as PlacedOrder
}

/** Inserts the rows of many orders with one statement. */
export async function insertOrders(
  client: Pick<ClientBase, 'query'>,
  orders: readonly Order[],
): Promise<void> {
  await client.query(
    `insert into orders (customer, item, cents)
       select * from unnest($1::text[], $2::text[], $3::integer[])`,
    [
      orders.map(({ customer }) => customer),
      orders.map(({ item }) => item),
      orders.map(({ cents }) => cents),
    ],
  )
}
