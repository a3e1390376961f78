import { waitFor } from '@oncekey/test-servers'
import type { Endpoint } from '@oncekey/webhooks'
import { beforeEach, describe, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

type Changes = (
  to: string,
) => Parameters<ReturnType<typeof database.hooks>['endpoints']['update']>[1]

/**
 * Sends a delivery whose answer comes only after its endpoint was changed, and returns what became
 * of both.
 */
async function answeredAfter(status: number, changes: Changes) {
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const before = await startReceiver(async (_, response) => {
    await held
    response.writeHead(status).end()
  })
  const after = await startReceiver(204)
  const hooks = database.hooks({ breakerFailures: 1 })
  const { endpoint } = await hooks.endpoints.register({
    url: before.url,
    types: ['*'],
    headers: { authorization: 'Bearer old' },
  })
  await fanOut(hooks, database.pool(), [eventOf()])
  const worker = hooks.createWorker()
  const under = worker.deliverOnce()
  await waitFor(() => before.received.length, { what: 'the delivery to be under way' })
  await hooks.endpoints.update(endpoint.id, changes(after.url))
  letGo()
  await under
  const [delivery] = await hooks.deliveries.list()
  return {
    hooks,
    worker,
    before,
    after,
    delivery,
    endpoint: (await hooks.endpoints.get(endpoint.id)) as Endpoint,
  }
}

describe('an answer that arrives after its endpoint was changed', () => {
  test.each([410, 404, 401, 500, 429])(
    'is not held against the new URL: after a %i the delivery is retried there at once, uncounted',
    async (status) => {
      const { hooks, worker, after, delivery, endpoint } = await answeredAfter(status, (url) => ({
        url,
      }))
      expect(endpoint).toMatchObject({ status: 'enabled', reason: null, failingSince: null })
      expect(delivery).toMatchObject({ state: 'pending', error: `status ${status}`, attempts: 1 })
      expect(await worker.deliverOnce()).toBe(1)
      expect(after.received).toHaveLength(1)
      const sent = await hooks.deliveries.get(delivery?.id ?? '')
      expect(sent).toMatchObject({ state: 'delivered', attempts: 2 })
      expect(sent?.history.map((attempt) => attempt.status)).toEqual([status, 204])
    },
  )

  test('and is a success counts as delivered, wherever the next delivery goes', async () => {
    const { worker, delivery } = await answeredAfter(200, (url) => ({ url }))
    expect(delivery).toMatchObject({ state: 'delivered' })
    expect(await worker.deliverOnce()).toBe(0)
  })

  test.each<[string, Changes]>([
    ['other headers', () => ({ headers: { authorization: 'Bearer new' } })],
    ['no headers', () => ({ headers: null })],
  ])(
    'and refused the old headers is followed by a retry with the new ones: %s',
    async (_, changes) => {
      const { worker, before, delivery } = await answeredAfter(401, changes)
      expect(delivery).toMatchObject({ state: 'pending', error: 'status 401' })
      expect(await worker.deliverOnce()).toBe(1)
      expect(before.received[1]?.headers.authorization).not.toBe('Bearer old')
    },
  )

  test('counts as usual if the change does not affect what is sent', async () => {
    const { delivery } = await answeredAfter(404, () => ({ description: 'renamed' }))
    expect(delivery).toMatchObject({ state: 'dead', reason: 'permanent' })
  })
})
