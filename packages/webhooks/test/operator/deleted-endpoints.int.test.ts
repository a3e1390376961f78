import { deadLetters } from '@oncekey/outbox'
import { beforeEach, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

async function tried(status: number) {
  const receiver = await startReceiver(status)
  const hooks = database.hooks({ schedule: [] })
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf()])
  await hooks.createWorker().deliverOnce()
  const [delivery] = await hooks.deliveries.list()
  return { hooks, endpoint, id: delivery?.id ?? '' }
}

// A bug: the answer was `held`, until the endpoint would be enabled, which a deleted one never is.
// The delivery waited for good, and a purge said of what had been delivered that it was ended.
test('a delivery whose endpoint was deleted is not sent again', async () => {
  const { hooks, endpoint, id } = await tried(204)
  await hooks.endpoints.delete(endpoint.id)
  expect(await hooks.deliveries.retry(id)).toBe('ended')
  expect(await hooks.deliveries.get(id)).toMatchObject({ state: 'delivered' })
  await hooks.purge()
  expect(await hooks.deliveries.get(id)).toMatchObject({ state: 'delivered' })
})

// A bug: such a letter was reported as redriven, and then ended by the deletion.
test('a dead letter of an endpoint that is being deleted is not put back', async () => {
  const { hooks, endpoint, id } = await tried(400)
  // As while the deletion ends the endpoint's deliveries, some thousand at a time.
  await database.query(`update oncekey.webhook_endpoints set status = 'deleted' where id = $1`, [
    endpoint.id,
  ])
  const dead = deadLetters(hooks.deadLetters)
  const by = { actor: 'maria@shop.example', note: 'it is back' }
  expect(await hooks.deadLetters.redrive({ ids: [id] }, { limit: 1, ...by })).toEqual({
    redriven: [],
    refused: [{ id, outcome: 'not-matched' }],
  })
  expect(await dead.editAndRedrive(id, '{"id":2}', by)).toEqual({ outcome: 'not-matched' })
  expect(await hooks.deliveries.retry(id)).toBe('ended')
  expect(await dead.redrive({ ids: [id] })).toMatchObject({ redriven: [] })
  expect(await hooks.deliveries.get(id)).toMatchObject({ state: 'dead' })
})

// A bug: the limit counted letters that are not put back. Where they were older than all others,
// nothing was redriven, however often it was asked.
test('a limited redrive takes the letters behind those of an endpoint that is being deleted', async () => {
  const hooks = database.hooks()
  const endpoint = { url: 'http://127.0.0.1:9', types: ['*'] }
  const gone = (await hooks.endpoints.register(endpoint)).endpoint.id
  const other = (await hooks.endpoints.register(endpoint)).endpoint.id
  await fanOut(hooks, database.pool(), [eventOf(), eventOf(), eventOf()])
  await database.query(
    `update oncekey.webhook_deliveries
       set state = 'dead', reason = 'permanent',
         died_at = now() - case endpoint_id when $1 then interval '1 hour' else interval '0' end`,
    [gone],
  )
  await database.query(`update oncekey.webhook_endpoints set status = 'deleted' where id = $1`, [
    gone,
  ])
  const dead = await hooks.deliveries.list({ endpointId: other })
  const { redriven } = await hooks.deadLetters.redrive({}, { limit: 2, actor: 'm', note: 'back' })
  expect(redriven).toHaveLength(2)
  expect(dead.map(({ id }) => id)).toEqual(expect.arrayContaining([...redriven]))
})
