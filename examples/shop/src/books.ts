import type { Customer } from './customer.ts'
import type { Database } from './database.ts'
import type { OutsideWorld } from './outside.ts'

/** A line of the books, and whether its two sides are equal. */
export interface Line {
  readonly what: string
  readonly ours: number
  readonly theirs: number
}

/** Compares the shop's own state with the state of the outside services and of the customer. */
export async function books(
  database: Pick<Database, 'query'>,
  placed: readonly string[],
  outside: OutsideWorld,
  customer: Customer,
): Promise<Line[]> {
  const { rows: orders } = await database.query<{ id: string; state: string }>(
    'select id, state from orders',
  )
  const { rows: stock } = await database.query<{ left_over: number }>('select left_over from stock')
  const { rows: open } = await database.query('select from oncekey.saga_work')
  const confirmed = orders.filter(({ state }) => state === 'confirmed')
  const cancelled = orders.filter(({ state }) => state === 'cancelled')
  const cents = outside
    .effects('/charges')
    .filter(({ id }) => !outside.effects('/refunds').some((refund) => refund.id === id))
    .reduce((sum, charge) => sum + (charge.cents ?? 0), 0)
  const told = [...customer.told.values()]
  return [
    {
      what: 'orders, and successes that clients hold',
      ours: orders.length,
      theirs: new Set(placed).size,
    },
    {
      what: 'orders, and those confirmed or cancelled',
      ours: orders.length,
      theirs: confirmed.length + cancelled.length,
    },
    { what: 'sagas that have not ended, and none', ours: open.length, theirs: 0 },
    {
      what: 'cents of confirmed orders, and charged less refunded',
      ours: confirmed.length * 4_900,
      theirs: cents,
    },
    {
      what: 'confirmed orders, and shipments',
      ours: confirmed.length,
      theirs: outside.effects('/shipments').length,
    },
    {
      what: 'confirmed orders, and taken from stock',
      ours: confirmed.length,
      theirs: 1_000 - (stock[0]?.left_over ?? 0),
    },
    { what: 'orders, and e-mails', ours: orders.length, theirs: outside.effects('/mails').length },
    {
      what: 'orders, and those the customer was told the end of, once',
      ours: orders.length,
      theirs: told.filter(isWhole).length,
    },
  ]
}

/** The events that an order was placed, and how it ended. */
function isWhole(types: readonly string[]): boolean {
  return types.length === 2 && new Set(types).size === 2 && types.includes('order.placed')
}
