import { beforeEach, expect, test } from 'vitest'
import { type ClaimQuestion, claimDeliveries } from '../../src/statements/claims.ts'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

/** How long an innocent receiver takes. Milliseconds. */
const ANSWER_MS = 150
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** All leases are over. */
const expire = () =>
  database.query(
    `update oncekey.webhook_deliveries set leased_until = now() where state = 'pending'`,
  )

// A bug: every death counted for all deliveries of the worker, and the same ones were claimed
// together again, so all of them were dead with the one that ended the workers.
test.each([2, 3, 5])(
  'a delivery beside one that ends its workers is not given up with it: maxUnfinished %i',
  async (maxUnfinished) => {
    let died = new Promise<void>(() => {})
    let die = () => {}
    const receiver = await startReceiver(async ({ body }, response) => {
      const mine = died
      if (body.includes('killer')) die()
      const isDead = await Promise.race([mine.then(() => true), sleep(ANSWER_MS)])
      if (isDead === true) return
      response.writeHead(204).end()
    })
    const hooks = database.hooks()
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const events = ['first', 'killer', 'second'].map((id) => eventOf({ data: { id } }))
    await fanOut(hooks, database.pool(), events)
    const states = async () =>
      new Map((await hooks.deliveries.list()).map(({ eventId, state }) => [eventId, state]))
    const workers = []
    let deaths = 0
    for (let n = 0; [...(await states()).values()].includes('pending'); n++) {
      expect(n).toBeLessThan(30)
      died = new Promise<void>((resolve) => {
        die = resolve
      })
      const worker = hooks.createWorker({ maxUnfinished })
      workers.push(worker)
      const ended = worker.deliverOnce().then(() => 0)
      deaths += await Promise.race([died.then(() => 1), ended])
      await expire()
    }
    const became = await states()
    expect(events.map(({ id }) => became.get(id))).toEqual(['delivered', 'dead', 'delivered'])
    expect(deaths).toBe(Math.max(2, maxUnfinished))
    await Promise.all(workers.map((worker) => worker.stop({ timeoutMs: 1 })))
  },
)

const question: ClaimQuestion = {
  limit: 10,
  perEndpoint: 100,
  underWay: new Map(),
  leaseMs: 30_000,
  breakerFailures: 5,
  mostUnfinished: 5,
  suspectFrom: 2,
  takesSuspect: true,
  mostBytes: 16_777_216,
  worker: 'here',
}
async function claim(changes: Partial<ClaimQuestion> = {}) {
  const { text, values } = claimDeliveries('oncekey', { ...question, ...changes })
  const rows = await database.query<{ delivery: string }>(text, [...values])
  return rows.map(({ delivery }) => JSON.parse(delivery))
}

test('a claim takes one suspect, or none, and beside it what is none', async () => {
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
  const suspects = Array.from({ length: 3 }, () => eventOf())
  await fanOut(hooks, database.pool(), suspects)
  for (const worker of ['first', 'second']) {
    expect(await claim({ worker })).toHaveLength(3)
    await expire()
  }
  await fanOut(hooks, database.pool(), [eventOf(), eventOf()])
  const fresh = await claim({ takesSuspect: false })
  expect(fresh).toMatchObject([{ suspect: false }, { suspect: false }])
  await expire()
  const claimed = await claim()
  expect(claimed.filter(({ suspect }) => suspect)).toHaveLength(1)
  expect(claimed).toHaveLength(3)
  // However long it is, it is claimed before what is none.
  await expire()
  expect(await claim({ mostBytes: 1 })).toMatchObject([{ suspect: true }])
})

test('a worker tries one suspect at a time, and goes on with the others meanwhile', async () => {
  let answer = () => {}
  const held = new Promise<void>((resolve) => {
    answer = resolve
  })
  const receiver = await startReceiver(async ({ body }, response) => {
    if (body.includes('slow')) await held
    response.writeHead(204).end()
  })
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const slow = () => eventOf({ data: { id: 'slow' } })
  await fanOut(hooks, database.pool(), [slow(), slow()])
  await database.query('update oncekey.webhook_deliveries set unfinished = 2')
  const worker = hooks.createWorker()
  const first = worker.deliverOnce()
  while (receiver.received.length === 0) await sleep(5)
  await fanOut(hooks, database.pool(), [eventOf()])
  expect(await worker.deliverOnce()).toBe(1)
  expect(receiver.received).toHaveLength(2)
  answer()
  expect(await first).toBe(1)
  expect(await worker.deliverOnce()).toBe(1)
  expect((await hooks.deliveries.list()).map(({ state }) => state)).toEqual(
    Array.from({ length: 3 }, () => 'delivered'),
  )
})
