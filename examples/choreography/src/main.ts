import { subscribe } from 'node:diagnostics_channel'
import { setTimeout } from 'node:timers/promises'
import type { DeadLetterMessage, DeliveryMessage } from '@oncekey/core'
import { createRelay, deadLetters } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { flakyGateway } from './flaky-gateway.ts'
import { email } from './services/email.ts'
import { inventory } from './services/inventory.ts'
import { payment } from './services/payment.ts'
import { shipping } from './services/shipping.ts'
import { type Order, openShop } from './shop.ts'

// Four services that know events and not each other. No file describes the whole sequence that
// follows an order; each service only describes its own reaction. The gateway is flaky, and one
// customer has no valid address.

const started = performance.now()
let failures = 0

console.log('A shop of four services over one log of events, in an embedded Postgres.\n')
const shop = await openShop()
const gateway = flakyGateway()
const log = postgresLog({ client: shop.client })

const retried = new Map<string, number>()
subscribe('oncekey:delivery', (message) => {
  const { consumer, verdict } = message as DeliveryMessage
  if (verdict === 'retrying') retried.set(consumer, (retried.get(consumer) ?? 0) + 1)
})
subscribe('oncekey:dead-letter', (message) => {
  const { consumer, subject, error } = message as DeadLetterMessage
  console.log(`   ✗ ${consumer} gives up on ${subject}: ${error.message}`)
})

const relay = createRelay({
  log,
  consumers: [payment(gateway), inventory(), shipping(), email()],
})
relay.start()

console.log('1. Four orders are placed. Placing one writes a row and an event, and calls nobody.')
const orders: Order[] = [
  { id: 'order-1', item: 'violin', total: 900, card: '4242', email: 'ada@example.com' },
  { id: 'order-2', item: 'cello', total: 1800, card: '4242', email: 'nowhere' },
  { id: 'order-3', item: 'violin', total: 900, card: 'declined', email: 'eve@example.com' },
  { id: 'order-4', item: 'cello', total: 1800, card: '4242', email: 'sam@example.com' },
]
for (const order of orders) {
  await shop.placeOrder(order)
  console.log(`   → order.created ${order.id}: ${order.item}, ${order.total}`)
}

console.log('\n2. The services react, to the orders and to one another.')
const dead = deadLetters(log.deadLetters)
await until('the flow to end', async () => {
  const { depth } = await dead.stats()
  return depth === 1 && (await count('emails')) === 2 && (await count('reservations')) === 3
})
for (const order of orders) {
  const { rows } = await shop.db.query<{ type: string }>(
    'select type from oncekey.outbox where subject = $1 order by seq',
    [order.id],
  )
  console.log(`   ${order.id}: ${rows.map(({ type }) => type).join(' → ')}`)
}
check(
  gateway.failures() === 8 && retried.get('payment') === 8,
  'The gateway failed 8 times; each charge was tried again, and each card charged once.',
)
check(
  (await count('payments')) === 3 && gateway.charges.size === 3,
  'The declined card is a fact, not a failure: payment.failed, and the violin is back in stock.',
)

console.log('\n3. One customer was not told. The dead letter says why.')
const [letter] = (await dead.list({ origin: 'email' })).items
const details = letter && (await dead.get(letter.id))
console.log(
  `   ${letter?.type} of ${letter?.subject}: ${letter?.reason}, after ${letter?.attempts} attempt (${details?.history[0]?.error.name}: ${details?.history[0]?.error.message})`,
)
check(
  letter?.reason === 'permanent',
  'Not tried again and again: it was known that it cannot help.',
)

console.log('\n4. Somebody corrects the address and puts it back.')
await shop.db.query("update customers set email = 'kim@example.com' where order_id = 'order-2'")
const filter = { origin: 'email' }
const { matched } = await dead.redrive(filter, { preview: true })
console.log(`   A preview says: ${matched} would be redriven.`)
const { redriven } = await dead.redrive(filter)
await until('the email', async () => (await count('emails')) === 3)
check(redriven.length === 1, 'Redriven, with the event id it had. The email is out.')
await until(
  'the delivery to be settled',
  async () => (await dead.get(redriven[0] ?? ''))?.state === 'resolved',
)
const again = await dead.redrive({ ids: redriven })
check(
  again.refused[0]?.outcome === 'already-done',
  `Redriven once more, to be sure: "${again.refused[0]?.outcome}". Nothing happens twice.`,
)

await relay.stop()
console.log('\n5. The books.')
const total = async (sql: string) => Number((await shop.db.query<{ n: string }>(sql)).rows[0]?.n)
const paid = await total('select sum(amount) as n from payments')
const charged = [...gateway.charges.values()].reduce((sum, amount) => sum + amount, 0)
const left = await total('select sum(left_over) as n from stock')
console.log(
  `   ${await count('orders')} orders, ${await count('payments')} payments of ${paid} (the gateway says ${charged}), ` +
    `${await count('shipments')} shipments, ${await count('emails')} emails, ${left} instruments left of 10.`,
)
const twice = await total(`select count(*) as n from (
  select order_id from payments group by 1 having count(*) > 1
  union all select order_id from shipments group by 1 having count(*) > 1
  union all select order_id from emails group by 1 having count(*) > 1) t`)
check(
  paid === charged && left === 10 - (await count('shipments')) && twice === 0,
  'They balance: one payment, one shipment and one email for each order that was paid.',
)
check((await dead.stats()).depth === 0, 'No dead letters are left.')
console.log(`\n(${Math.round((performance.now() - started) / 100) / 10} s)`)
await shop.db.close()
process.exitCode = failures === 0 ? 0 : 1

async function count(table: string): Promise<number> {
  const { rows } = await shop.db.query<{ n: string }>(`select count(*) as n from ${table}`)
  return Number(rows[0]?.n)
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}.`)
    await setTimeout(50)
  }
}

function check(isSo: boolean, sentence: string): void {
  if (!isSo) failures += 1
  console.log(`   ${isSo ? '✔' : '✗ NOT SO:'} ${sentence}`)
}
