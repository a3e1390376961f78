import { waitFor } from '@oncekey/test-servers'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

const poolAt = (level: string) =>
  database.pool({ options: `-c default_transaction_isolation=${level.replace(' ', '\\ ')}` })

describe.each(['repeatable read', 'serializable'])('where sessions are set to %s', (level) => {
  // At these levels, two statements that meet at a row refuse each other.
  test('four workers deliver each webhook once', async () => {
    const hooks = database.hooks({ client: poolAt(level) })
    const receiver = await startReceiver(204)
    for (let n = 0; n < 4; n++)
      await hooks.endpoints.register({ url: receiver.url, types: ['*'], rate: 1_000 })
    await fanOut(
      database.hooks(),
      database.pool(),
      Array.from({ length: 50 }, () => eventOf()),
    )
    const workers = Array.from({ length: 4 }, () =>
      hooks.createWorker({ concurrency: 10, pollMs: 5 }),
    )
    for (const worker of workers) worker.start()
    onTestFinished(async () => {
      await Promise.all(workers.map((worker) => worker.stop({ timeoutMs: 0 })))
    })
    const waiting = async () =>
      (await database.query(`select from oncekey.webhook_deliveries where state <> 'delivered'`))
        .length
    await waitFor(async () => (await waiting()) === 0, { what: 'all to be delivered' })
    expect(receiver.received).toHaveLength(200)
  })

  test('of two rotations at once, the second retires the secret of the first', async () => {
    const hooks = database.hooks({ client: poolAt(level) })
    const { endpoint } = await hooks.endpoints.register({
      url: 'http://127.0.0.1:9/',
      types: ['*'],
    })
    const made = await Promise.all(
      [1, 2, 3].map(() => hooks.endpoints.rotateSecret(endpoint.id, { overlapMs: 0 })),
    )
    const inForce = await hooks.endpoints.secrets(endpoint.id)
    expect(inForce).toHaveLength(1)
    expect(made.map((each) => each?.secret)).toContain(inForce[0]?.secret)
  })
})
