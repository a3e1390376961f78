import { randomUUID } from 'node:crypto'
import { once as onceOf, type Store } from '@oncekey/core'
import { createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { redisLog } from '@oncekey/redis'
import { createSagaRunner } from '@oncekey/saga'
import { watch } from '@oncekey/telemetry'
import { waitFor } from '@oncekey/test-servers'
import express, { type Request, type RequestHandler } from 'express'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { register } from 'prom-client'
import type { Reader } from './reader.ts'
import { askRoutes } from './routes.ts'
import { servedApp, serveWhatItMade } from './serving.ts'
import { hasMethods, isConsumer, isRelay, isSaga, isSagaRunner, isStore } from './shapes.ts'

/**
 * Uses what a snippet has made, as the application of its reader would: asks its routes, claims on
 * its store, sends its consumers an event, executes its sagas.
 */
export async function useWhatItMade(
  exported: Readonly<Record<string, unknown>>,
  text: string,
  reader: Reader,
): Promise<void> {
  const served = await serveWhatItMade(exported, text, reader)
  if (served !== undefined) {
    try {
      await askRoutes(text, served.url)
    } finally {
      await served.close()
    }
  }
  const values = Object.values(exported)
  for (const store of values.filter(isStore)) await claimOn(store)
  if (values.some(isConsumer) || values.some(isRelay)) await deliver(exported, text, reader)
  for (const definition of values.filter(isSaga)) {
    const given = values.find(isSagaRunner)
    const runner = given ?? createSagaRunner({ client: poolOf(reader), sagas: [definition] })
    await runner.execute(definition, { id: randomUUID(), input: { cents: 4200 } })
    if (given === undefined) await runner.stop()
  }
  if (text.includes('prometheus(')) await scrape()
  // A gauge that stayed would be asked for with the next page, with a pool that has ended.
  register.clear()
  if (typeof exported.fetch === 'function') await sendBy(exported.fetch as Fetch, reader)
  if (typeof exported.placeOrder === 'function') await submit(exported.placeOrder as Action)
  if (typeof exported.answerOldKeys === 'function') {
    await askForAnOldKey(exported.answerOldKeys as AnswerOldKeys)
  }
}

async function claimOn(store: Store<unknown>): Promise<void> {
  const made = onceOf({ store, namespace: 'snippets' })
  const claim = { scope: 'acme', key: randomUUID(), input: {} }
  const run = () => made.run(claim, () => ({ done: true }))
  const [first, again] = [await run(), await run()]
  if (first.replayed || !again.replayed) throw new Error('The store replayed the wrong call.')
}

/**
 * Appends an event that the consumers take, and waits until each of them has taken it. A snippet
 * that exports what a schedule calls (`GET`) is called; one that has no relay is given one.
 */
async function deliver(
  exported: Readonly<Record<string, unknown>>,
  text: string,
  reader: Reader,
): Promise<void> {
  const values = Object.values(exported)
  const consumers = values.filter(isConsumer)
  const names = consumers.map(({ name }) => name)
  const [, written = 'order.created'] = /types: \['([^']+)'/.exec(text) ?? []
  const type = (consumers[0]?.types?.[0] ?? written).replace('*', 'created')
  const event = eventOf(type)
  const done = new Set<string>()
  const failed: unknown[] = []
  const unwatch = watch('oncekey:deliver', {
    end({ consumer, events, outcome, error }) {
      if (!events.some(({ id }) => id === event.id)) return
      if (outcome === 'done') done.add(consumer)
      else failed.push(error)
    },
  })
  const client = text.includes('redisLog') ? new Redis(reader.redisUrl) : undefined
  // A snippet before this one may have ended the reader's.
  const pool = new Pool({ connectionString: reader.databaseUrl, max: 4 })
  const log = client === undefined ? postgresLog({ client: pool }) : redisLog({ client })
  const schedule = exported.GET as (() => Promise<unknown>) | undefined
  const isDriven = schedule !== undefined || values.some(isRelay)
  const own = isDriven ? [] : [createRelay({ log: log as never, consumers })]
  for (const relay of own) relay.start()
  try {
    await log.append([event])
    await schedule?.()
    const isDone = () => done.size > 0 && names.every((name) => done.has(name))
    await waitFor(() => isDone() || failed.length > 0, { what: `a delivery of ${type}` })
    if (failed.length > 0) throw failed[0]
  } finally {
    unwatch()
    for (const relay of own) await relay.stop()
    client?.disconnect()
    await pool.end()
  }
}

async function scrape(): Promise<void> {
  const page = await register.metrics()
  if (!/^oncekey_scrape_failed\S* 0$/m.test(page)) throw new Error(`A scrape failed:\n${page}`)
}

type Fetch = (url: string, request: object) => Promise<Response>

async function sendBy(send: Fetch, reader: Reader): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const order = { method: 'POST', headers, body: '{"item":"violin"}', operation: 'checkout' }
  const { status } = await send(`${reader.shopUrl}/orders`, order)
  if (status !== 201) throw new Error(`The shop answered ${status}.`)
}

type Action = (form: FormData) => Promise<{ id: string }>

/** Submits a form twice, as a second click on its button does. */
async function submit(action: Action): Promise<void> {
  const form = new FormData()
  form.set('key', randomUUID())
  form.set('item', 'violin')
  const [first, again] = [await action(form), await action(form)]
  if (first.id !== again.id) throw new Error('The second click placed another order.')
}

interface OldRecord {
  readonly status: number
  readonly headers?: [string, string][]
  readonly body: unknown
}

type AnswerOldKeys = (
  find: (req: Request, key: string) => Promise<OldRecord | 'running' | undefined>,
) => RequestHandler

const OLD: Readonly<Record<string, OldRecord | 'running'>> = {
  json: { status: 201, body: { id: 1 } },
  bytes: {
    status: 203,
    headers: [
      ['content-type', 'text/plain'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
    body: Buffer.from('ok'),
  },
  text: { status: 200, headers: [['content-type', 'application/json']], body: '{"id":2}' },
  running: 'running',
}

async function askForAnOldKey(answerOldKeys: AnswerOldKeys): Promise<void> {
  const app = express()
  app.use(answerOldKeys(async (req, key) => (req.path === '/' ? OLD[key] : undefined)))
  app.post('/', (_, res) => void res.status(202).json(2))
  const { url, close } = await servedApp(app)
  const answers = []
  for (const key of ['json', 'bytes', 'text', 'running', 'new']) {
    const response = await fetch(url, { method: 'POST', headers: { 'idempotency-key': key } })
    const cookies = response.headers.getSetCookie().join()
    answers.push(`${response.status} ${cookies} ${await response.text()}`)
  }
  await close()
  const wanted = ['201  {"id":1}', '203 a=1,b=2 ok', '200  {"id":2}', '409  ', '202  2']
  if (answers.join() !== wanted.join()) throw new Error(`It answered ${answers}.`)
}

const eventOf = (type: string) => ({
  id: randomUUID(),
  type,
  source: '/shop',
  subject: 'order-42',
  orderingKey: 'order-42',
  data: '{"cents":4200}',
  headers: { customer: 'acme' },
  occurredAt: new Date(),
})

const poolOf = (reader: Reader): Pool => reader.given('pool', '') as Pool

/** Ends what a snippet has made: first as it says itself, then what it leaves to its reader. */
export async function endWhatItMade(
  exported: Readonly<Record<string, unknown>>,
  ends: readonly (() => unknown)[],
): Promise<void> {
  for (const end of ends) await end()
  const values = new Set(Object.values(exported))
  for (const value of values) {
    if (hasMethods(value, 'start', 'stop')) await (value as { stop(): Promise<void> }).stop()
  }
  for (const value of values) {
    if (hasMethods(value, 'close', 'connect', 'duplicate') || hasMethods(value, 'customCommand')) {
      await (value as { close(): unknown }).close() // of node-redis and valkey-glide
    } else if (hasMethods(value, 'close', 'exec')) {
      await (value as { close(): Promise<void> }).close() // PGlite
    }
  }
}
