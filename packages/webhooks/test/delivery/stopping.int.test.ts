import { startNode, startProxy, waitFor } from '@oncekey/test-servers'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

describe('a worker that is stopped', () => {
  test.each([Number.POSITIVE_INFINITY, 30 * 86_400_000])(
    'waits for attempts under way, even for %s ms',
    async (timeoutMs) => {
      const hooks = database.hooks()
      let answer = (): void => {}
      const receiver = await startReceiver((_, response) => {
        answer = () => void response.writeHead(200).end()
      })
      await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
      await fanOut(hooks, database.pool(), [eventOf()])
      const worker = hooks.createWorker()
      worker.start()
      await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
      let isStopped = false
      const stopping = worker.stop({ timeoutMs }).then(() => {
        isStopped = true
      })
      // A round trip to the database takes longer than a timer that overflows, because such a timer
      // fires at once.
      await database.query('select pg_sleep(0.1)')
      expect(isStopped).toBe(false)
      answer()
      await stopping
      expect(await hooks.deliveries.list()).toMatchObject([{ state: 'delivered' }])
    },
  )

  test('works again if it is started before the stop is over', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver((_, response) => void response.writeHead(204).end())
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const worker = hooks.createWorker({ pollMs: 20 })
    worker.start()
    const stopping = worker.stop()
    worker.start()
    await stopping
    onTestFinished(() => worker.stop())
    await fanOut(hooks, database.pool(), [eventOf()])
    await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
  })

  test('aborts what a stop with more patience still waits for', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver(() => {})
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    const worker = hooks.createWorker()
    worker.start()
    await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
    const patient = worker.stop({ timeoutMs: Number.POSITIVE_INFINITY })
    await worker.stop({ timeoutMs: 0 })
    await patient
    const [delivery] = await hooks.deliveries.list()
    expect(await hooks.deliveries.get(delivery?.id ?? '')).toMatchObject({
      state: 'pending',
      history: [{ error: 'aborted' }],
    })
  })

  test('refuses a timeout that is not a length of time', async () => {
    const worker = database.hooks().createWorker()
    for (const timeoutMs of [-1, Number.NaN]) {
      await expect(worker.stop({ timeoutMs })).rejects.toMatchObject({ code: 'options-invalid' })
    }
  })

  test('ends in time even if the database does not answer', async () => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    onTestFinished(() => proxy.stop())
    const pool = database.pool({ connectionString: proxy.through(database.url()), max: 2 })
    const hooks = database.hooks({ client: pool })
    const receiver = await startReceiver(() => {})
    await database.hooks().endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(database.hooks(), database.pool(), [eventOf()])
    const worker = hooks.createWorker({ pollMs: 20 })
    worker.start()
    await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
    proxy.stall()
    let isStopped = false
    void worker.stop({ timeoutMs: 100 }).then(() => {
      isStopped = true
    })
    // Our statements wait for 10 s, and a claim for 30 s.
    await waitFor(() => isStopped, { what: 'stop() to resolve', timeoutMs: 4_000 })
  })

  test('ten times during one delivery counts no try and makes it no poison', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver(() => {})
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    for (let n = 1; n <= 10; n += 1) {
      const worker = await startNode(new URL('../servers/worker-process.ts', import.meta.url), {
        env: {
          DATABASE_URL: database.url(),
          TIMEOUT_MS: '60000',
          STOP_TIMEOUT_MS: '1',
          MAX_UNFINISHED: '2',
        },
        readyTimeoutMs: 120_000,
      })
      onTestFinished(() => worker.kill())
      await waitFor(() => receiver.received.length === n, { what: `attempt ${n} to arrive` })
      worker.kill('SIGTERM')
      expect((await worker.exited).code).toBe(0)
    }
    expect(
      await database.query(
        'select state, tries, unfinished, leased_until from oncekey.webhook_deliveries',
      ),
    ).toEqual([{ state: 'pending', tries: 0, unfinished: 0, leased_until: null }])
    expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({
      status: 'enabled',
      failingSince: null,
    })
    receiver.answer(204)
    expect(await hooks.createWorker().deliverOnce()).toBe(1)
    expect(await hooks.deliveries.list()).toMatchObject([{ state: 'delivered' }])
  })
})

test('every time option accepts thirty days, and none that must end accepts Infinity', async () => {
  const month = 30 * 86_400_000
  const options = [
    'timeoutMs',
    'maxRetryAfterMs',
    'cooldownMs',
    'maxCooldownMs',
    'disableAfterMs',
  ] as const
  const hooks = database.hooks(Object.fromEntries(options.map((option) => [option, month])))
  const receiver = await startReceiver()
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf()])
  const worker = hooks.createWorker({ leaseMs: 2 * month, pollMs: month })
  // If the timer overflowed, it would fire at once, and the exchange would time out.
  expect(await worker.deliverOnce()).toBe(1)
  expect(await hooks.deliveries.list()).toMatchObject([{ state: 'delivered' }])
  expect(await hooks.endpoints.rotateSecret(endpoint.id, { overlapMs: month })).toBeDefined()

  const endless = { timeoutMs: Number.POSITIVE_INFINITY }
  for (const option of options) {
    expect(() => database.hooks({ [option]: Number.POSITIVE_INFINITY })).toThrow(
      new RegExp(`${option} must be a whole number`),
    )
  }
  expect(() => database.hooks().createWorker({ leaseMs: endless.timeoutMs })).toThrow(/leaseMs/)
})

// A bug: a 200 whose body had not ended yet counted as a failure of the endpoint.
test('an acceptance that a stop breaks off counts as no failure', async () => {
  const receiver = await startReceiver((_, response) => {
    response.writeHead(200, { 'content-length': 10 })
    response.write('ok')
  })
  const hooks = database.hooks({ breakerFailures: 1 })
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf()])
  const worker = hooks.createWorker()
  worker.start()
  await waitFor(() => receiver.received.length, { what: 'the delivery to be under way' })
  await worker.stop({ timeoutMs: 500 })
  const [delivery] = await database.query(
    'select state, tries, error, due_at <= now() as due from oncekey.webhook_deliveries',
  )
  expect(delivery).toEqual({ state: 'pending', tries: 0, error: 'aborted', due: true })
  expect((await hooks.endpoints.get(endpoint.id))?.failingSince).toBeNull()
})
