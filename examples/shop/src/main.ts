// Runs the shop with load, lost answers and killed processes, and checks the books at the end.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@oncekey/test-servers'
import { books } from './books.ts'
import { customer } from './customer.ts'
import { openDatabase } from './database.ts'
import { placeOrders } from './load.ts'
import { outsideWorld } from './outside.ts'
import { type ServerProcess, serverProcess } from './server-process.ts'

const orders = Number(process.env.ORDERS ?? 120)
const url = process.env.DATABASE_URL
const folder = mkdtempSync(join(tmpdir(), 'shop-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const interrupted = () => process.exit(130)
process.on('SIGINT', interrupted)
const say = (text: string) => console.log(text)

const outside = await outsideWorld()
const buyer = await customer('customer-1')
const env = { OUTSIDE_URL: outside.url, DATA_FOLDER: folder }
// PGlite takes one process at a time, and Postgres any number.
const servers: ServerProcess[] = []
for (let n = 0; n < (url === undefined ? 1 : 3); n++) {
  servers.push(await serverProcess(await freePort(), env))
}
say(`${servers.length} process(es) of the shop on ${url === undefined ? 'PGlite' : 'Postgres'}.`)
const first = servers[0] as ServerProcess
buyer.secret = (
  await call<{ secret: string }>('/endpoints', 'PUT', { customer: buyer.name, url: buyer.url })
).secret

const placed: string[] = []
let kills = 0
// One kill after each third of the orders: by progress, because a slow machine takes long to
// restart.
const killing = (async () => {
  for (const share of [1 / 3, 2 / 3]) {
    while (placed.length < orders * share) await sleep(20)
    const victim = servers[kills % servers.length] as ServerProcess
    await victim.kill()
    kills++
    await victim.start()
  }
})()
const load = await placeOrders({
  orders,
  placed,
  customer: buyer.name,
  url: () => (servers[Math.floor(Math.random() * servers.length)] as ServerProcess).url,
})
await killing
say(
  `${placed.length} orders in ${load.requests} requests: ${load.lost} answers were lost, ${kills} processes killed.`,
)

// The customer's endpoint and the mail server were down all this time.
buyer.isUp = true
const stuck = await until(async () => {
  const { orders, dead } = await call<State>('/state', 'GET')
  const isEnded = (orders.placed ?? 0) + (orders.accepted ?? 0) === 0
  return isEnded && (dead.mails ?? 0) > 0 && dead
})
say(
  `The customer refused ${buyer.refused()} webhooks; dead letters: ${stuck.mails} e-mails, ${stuck.deliveries} webhooks.`,
)
if (process.argv.includes('--serve')) {
  say(`
The mail server is still down, and what could not be sent waits for somebody:
  ${first.url}/ops      the dashboard: dead letters by kind of error, keys, consumers, audit
  ${first.url}/metrics  what Prometheus scrapes
Press Ctrl+C, and the mail server comes up, everything is redriven, and the books are balanced.`)
  process.off('SIGINT', interrupted)
  await new Promise((resolve) => process.once('SIGINT', resolve))
  process.on('SIGINT', interrupted)
}
outside.mailIsUp = true
await until(async () => {
  await call('/redrive', 'POST', {})
  const isTold = [...buyer.told.values()].filter((types) => types.length === 2).length
  return isTold === orders && outside.effects('/mails').length === orders
})
const { failed, lost, repeated } = outside.trouble
say(
  `Outside, ${failed} calls failed and ${lost} answers were lost; ${repeated} were asked for again, by their key.`,
)
await Promise.all(servers.map((server) => server.stop()))

const database = openDatabase({ url, folder })
const lines = await books(database, placed, outside, buyer)
await database.close()
await Promise.all([outside.close(), buyer.close()])
say('\nThe books:')
for (const { what, ours, theirs } of lines) {
  say(` ${ours === theirs ? '✔' : '✘'} ${what}: ${ours} and ${theirs}`)
}
const isBalanced = lines.every(({ ours, theirs }) => ours === theirs)
say(isBalanced ? 'They are balanced.' : 'THEY ARE NOT BALANCED.')
process.exit(isBalanced ? 0 : 1)

interface State {
  readonly orders: Record<string, number>
  readonly dead: { readonly mails?: number; readonly runs?: number; readonly deliveries?: number }
}

async function call<Answer>(path: string, method: string, body?: object): Promise<Answer> {
  const response = await fetch(first.url + path, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  })
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}`)
  return (await response.json()) as Answer
}

async function until<Value>(look: () => Promise<Value | false>): Promise<Value> {
  const deadline = performance.now() + 180_000
  for (;;) {
    const seen = await look()
    if (seen !== false) return seen
    if (performance.now() > deadline) throw new Error('Waited 180 s in vain.')
    await sleep(200)
  }
}
