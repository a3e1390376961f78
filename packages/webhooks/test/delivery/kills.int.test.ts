import { type Child, startNode, waitFor } from '@oncekey/test-servers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { emitEvents, eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

/** The full size is WEBHOOK_EVENTS=10000 WEBHOOK_ENDPOINTS=20. */
const EVENTS = Number(process.env.WEBHOOK_EVENTS ?? 200)
const ENDPOINTS = Number(process.env.WEBHOOK_ENDPOINTS ?? 10)
const TIMEOUT_MS = EVENTS > 1_000 ? 3_600_000 : 120_000

const startWorker = (env: Record<string, string> = {}) =>
  startNode(new URL('../servers/worker-process.ts', import.meta.url), {
    env: { DATABASE_URL: database.url(), TIMEOUT_MS: '1000', ...env },
    readyTimeoutMs: 120_000,
  })

const countOf = async (state: string) => {
  const [row] = await database.query<{ count: number }>(
    'select count(*)::int as count from oncekey.webhook_deliveries where state = $1',
    [state],
  )
  return row?.count ?? 0
}

test('another worker takes over the delivery of a worker that was killed', async () => {
  const hooks = database.hooks()
  const receiver = await startReceiver(({ before }, response) => {
    if (before > 0) response.writeHead(200).end()
  })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const event = eventOf()
  await fanOut(hooks, database.pool(), [event])
  const victim = await startWorker()
  await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
  victim.kill()
  await victim.exited
  expect(await countOf('delivered')).toBe(0)

  const heir = await startWorker()
  onTestFinished(() => heir.kill())
  await waitFor(async () => (await countOf('delivered')) === 1, { what: 'it to be delivered' })
  const [delivery] = await hooks.deliveries.list()
  expect(receiver.received.map(({ headers }) => headers['x-delivery-attempt'])).toEqual(['1', '2'])
  // The first attempt has no recorded outcome, because nobody knows how it ended.
  expect(await hooks.deliveries.get(delivery!.id)).toMatchObject({
    attempts: 2,
    history: [{ number: 2, status: 200 }],
  })
})

test('a worker that gets SIGTERM finishes what it is sending', async () => {
  const hooks = database.hooks()
  const receiver = await startReceiver((_, response) => {
    setTimeout(() => response.writeHead(200).end(), 300)
  })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf(), eventOf()])
  const worker = await startWorker()
  await waitFor(() => receiver.received.length === 2, { what: 'both to arrive' })
  worker.kill('SIGTERM')
  expect((await worker.exited).code).toBe(0)
  expect(await countOf('delivered')).toBe(2)
})

interface Flaky {
  readonly url: string
  readonly requests: () => number
  readonly effects: ReadonlySet<string>
}

/**
 * A receiver that fails in every way, and takes effect once for each event, which it recognises by
 * `webhook-id`.
 */
async function flakyReceiver(): Promise<Flaky> {
  const effects = new Set<string>()
  let requests = 0
  const receiver = await startReceiver(({ headers }, response) => {
    requests += 1
    receiver.received.length = 0
    const luck = Math.random()
    const takeEffect = () => effects.add(String(headers['webhook-id']))
    if (luck < 0.05) return void response.writeHead(500).end('before')
    if (luck < 0.06) return undefined
    takeEffect()
    if (luck < 0.1) return void response.writeHead(503).end('after')
    if (luck < 0.12) return void response.destroy()
    response.writeHead(204).end()
  })
  return { url: receiver.url, requests: () => requests, effects }
}

test(
  `${EVENTS} events reach ${ENDPOINTS} endpoints that break, each at least once, while relays and workers are killed`,
  async () => {
    const startedAt = performance.now()
    const hooks = database.hooks()
    const receivers = await Promise.all(Array.from({ length: ENDPOINTS }, flakyReceiver))
    for (const { url } of receivers) await hooks.endpoints.register({ url, types: ['order.*'] })

    const workers = new Set<Child<unknown>>()
    // A low limit, because all receivers are in this one process, which would otherwise answer too
    // late.
    const env = { CONCURRENCY: '30', TIMEOUT_MS: EVENTS > 1_000 ? '5000' : '1000' }
    const hire = async () => void workers.add(await startWorker(env))
    const killOne = async () => {
      const [victim] = workers
      await hire()
      victim?.kill()
      workers.delete(victim!)
      killed += 1
    }
    let killed = 0
    await Promise.all([hire(), hire()])
    onTestFinished(() => {
      for (const worker of workers) worker.kill()
    })

    const ids: string[] = []
    for (let n = 0; n < EVENTS; n += 100) {
      const orders = Array.from({ length: 100 }, (_, at) => ({
        type: 'order.created',
        subject: `order-${n + at}`,
      }))
      ids.push(...(await emitEvents(database.pool(), orders)))
    }
    // Kills during the fan-out, and then each time another share of the deliveries is done.
    await killOne()
    const total = EVENTS * ENDPOINTS
    const share = Math.max(total / 20, 600)
    await waitFor(
      async () => {
        const delivered = await countOf('delivered')
        if (delivered > killed * share && delivered < total * 0.95) await killOne()
        return delivered === total
      },
      { what: 'all to be delivered', timeoutMs: TIMEOUT_MS, intervalMs: 50 },
    )

    for (const { effects } of receivers) expect([...effects].sort()).toEqual([...ids].sort())
    const requests = receivers.reduce((sum, receiver) => sum + receiver.requests(), 0)
    expect(killed).toBeGreaterThan(1)
    expect(requests).toBeGreaterThan(total)
    expect(await countOf('dead')).toBe(0)
    if (process.env.WEBHOOK_EVENTS) {
      const seconds = Math.round((performance.now() - startedAt) / 1000)
      console.log(JSON.stringify({ total, requests, killed, seconds }))
    }
  },
  TIMEOUT_MS,
)
