import type { ServerResponse } from 'node:http'
import { waitFor } from '@oncekey/test-servers'
import { beforeEach, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

const statesOf = async () =>
  new Map(
    (
      await database.query<{ message_id: string; state: string }>(
        'select message_id, state from oncekey.webhook_deliveries',
      )
    ).map(({ message_id, state }) => [message_id, state]),
  )

// A bug: the retry gave the number of an attempt on record to the attempt that was still under way,
// so the database refused its verdict with all those beside it, and every one was sent again.
test('a verdict that comes after its lease and an operator’s retry keeps back no other', async () => {
  const held: ServerResponse[] = []
  const receiver = await startReceiver(500)
  const hooks = database.hooks({ schedule: [0, 0, 0], breakerFailures: 100 })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const [late, other] = [eventOf(), eventOf()]
  await fanOut(hooks, database.pool(), [late])
  const worker = hooks.createWorker()
  await worker.deliverOnce()

  receiver.answer((_, response) => void held.push(response))
  await fanOut(hooks, database.pool(), [other])
  const under = worker.deliverOnce()
  await waitFor(() => held.length === 2, { what: 'both to be under way' })
  const [{ id } = { id: '' }] = await database.query<{ id: string }>(
    `update oncekey.webhook_deliveries set leased_until = now() - interval '1 s'
       where message_id = $1 returning id::text`,
    [late.id],
  )
  expect(await hooks.deliveries.retry(id)).toBe('scheduled')
  for (const response of held) response.writeHead(204).end()
  await under
  expect(await statesOf()).toEqual(
    new Map([
      [late.id, 'pending'],
      [other.id, 'delivered'],
    ]),
  )

  receiver.answer(204)
  await worker.deliverOnce()
  const { history, state } = (await hooks.deliveries.get(id)) ?? {}
  expect(state).toBe('delivered')
  expect(history?.map(({ number, status }) => [number, status])).toEqual([
    [1, 500],
    [3, 204],
  ])
})

// A bug: what the database refused of one verdict, it refused of all in the statement, again and
// again until their leases were over.
test('a verdict that cannot be written keeps back no other', async () => {
  const receiver = await startReceiver(204)
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const events = Array.from({ length: 8 }, () => eventOf())
  await fanOut(hooks, database.pool(), events)
  await database.query(
    `create function refuse_it() returns trigger language plpgsql as $$ begin
       raise exception 'not this one' using errcode = 'check_violation'; end $$`,
  )
  await database.query(
    `create trigger refuses before update on oncekey.webhook_deliveries for each row
       when (new.state = 'delivered' and new.message_id = '${events[3]?.id}')
       execute function refuse_it()`,
  )
  const worker = hooks.createWorker({ concurrency: 8, endpointConcurrency: 8 })
  const under = worker.deliverOnce()
  await waitFor(
    async () =>
      [...(await statesOf()).values()].filter((state) => state === 'delivered').length === 7,
    { what: 'the others to be on record' },
  )
  await database.query('drop trigger refuses on oncekey.webhook_deliveries')
  await under
  expect(new Set((await statesOf()).values())).toEqual(new Set(['delivered']))
})
