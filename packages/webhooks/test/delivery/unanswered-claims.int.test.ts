import { unansweredTakes } from '@oncekey/core'
import { startProxy, waitFor } from '@oncekey/test-servers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { resolveOptions } from '../../src/options/options.ts'
import { claimDeliveries, releaseUnanswered } from '../../src/statements/claims.ts'
import { runStatement } from '../../src/statements/run-statement.ts'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

// A bug: claims whose answers were lost counted as workers that had died, and what nobody had sent
// became a dead letter, as poison.
test('a claim that got no answer is given back, and does not count', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const pool = database.pool({ connectionString: proxy.through(database.url()) })
  onTestFinished(async () => {
    await pool.end()
    await proxy.stop()
  })
  const receiver = await startReceiver(204)
  const hooks = database.hooks({ client: pool })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf(), eventOf()])
  const worker = hooks.createWorker({ maxUnfinished: 2 })
  for (let times = 0; times < 3; times++) {
    const dropped = proxy.dropAfter('claim_webhooks')
    await expect(worker.deliverOnce()).rejects.toMatchObject({ code: 'store-unavailable' })
    await dropped
  }
  // Nobody waits for the leases.
  expect(await worker.deliverOnce()).toBe(2)
  expect(await hooks.deliveries.list()).toMatchObject([
    { state: 'delivered', attempts: 1 },
    { state: 'delivered', attempts: 1 },
  ])
})

test('what another worker has claimed is not given back with it', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const pool = database.pool({ connectionString: proxy.through(database.url()) })
  onTestFinished(async () => {
    await pool.end()
    await proxy.stop()
  })
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const receiver = await startReceiver(async (_, response) => {
    await held
    response.writeHead(204).end()
  })
  const hooks = database.hooks({ client: pool })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf()])
  const other = database.hooks().createWorker().deliverOnce()
  while ((await hooks.deliveries.list())[0]?.isUnderWay !== true);
  await fanOut(hooks, database.pool(), [eventOf()])
  const worker = hooks.createWorker()
  const dropped = proxy.dropAfter('claim_webhooks')
  await expect(worker.deliverOnce()).rejects.toMatchObject({ code: 'store-unavailable' })
  await dropped
  const own = worker.deliverOnce()
  letGo()
  expect(await Promise.all([other, own])).toEqual([1, 1])
  expect([...receiver.counts().values()]).toEqual([1, 1])
})

// A bug: two claims at once each gave back what had got no answer, and the slower one gave back
// what the quicker one had claimed by then. Another worker sent that a second time.
test('what is claimed meanwhile is not given back, however long giving back takes', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const pool = database.pool({ connectionString: proxy.through(database.url()) })
  onTestFinished(async () => {
    await pool.end()
    await proxy.stop()
  })
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const receiver = await startReceiver(async (_, response) => {
    await held
    response.writeHead(204).end()
  })
  const hooks = database.hooks({ client: pool })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const worker = hooks.createWorker()
  const dropped = proxy.dropAfter('claim_webhooks')
  await expect(worker.deliverOnce()).rejects.toMatchObject({ code: 'store-unavailable' })
  await dropped
  await fanOut(hooks, database.pool(), [eventOf()])
  const late = proxy.delayBefore('u.claimed_by', 1_500)
  const slow = worker.deliverOnce()
  await late
  const quick = worker.deliverOnce()
  const twice = waitFor(() => receiver.received.length > 1, { what: 'a second request' })
  // One of them has claimed nothing, so it ends at once.
  await Promise.race([slow, quick, twice])
  letGo()
  expect((await slow) + (await quick)).toBe(1)
  expect(receiver.received).toHaveLength(1)
  expect(await hooks.deliveries.list()).toMatchObject([{ state: 'delivered', attempts: 1 }])
})

// A bug: it looked before the claim that was answered had been counted as over, and gave back
// nothing. Nothing else did, and the leases had to run out.
test('a stop gives back what was claimed without an answer beside a claim that got one', async () => {
  const receiver = await startReceiver(204)
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf()])
  const options = resolveOptions({ client: database.pool() })
  const claims = unansweredTakes(
    () => runStatement(options, releaseUnanswered(options.schema, 'w', [])),
    QUESTION,
  )
  let answer = () => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const isOver = () => false
  const quiet = claims.taking(() => answered.then(() => []), { isOver })
  const claimed = async () => {
    await runStatement(options, claimDeliveries(options.schema, QUESTION))
    throw new Error('the connection is lost')
  }
  const lost = claims.taking(claimed, { isOver })
  await expect(lost).rejects.toThrow('lost')
  const stopped = quiet.then(() => claims.giveBack())
  answer()
  await stopped
  expect(await hooks.deliveries.list()).toMatchObject([{ state: 'pending', isUnderWay: false }])
})

const QUESTION = {
  limit: 10,
  perEndpoint: 10,
  underWay: new Map(),
  leaseMs: 60_000,
  breakerFailures: 5,
  mostUnfinished: 5,
  suspectFrom: 2,
  takesSuspect: true,
  mostBytes: 1_000_000,
  worker: 'w',
}
