import type { Webhooks } from '@oncekey/webhooks'
import type { PoolClient } from 'pg'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeAll(() =>
  database.query(
    `create function drop_it() returns trigger language plpgsql as $$ begin return null; end $$`,
  ),
)
beforeEach(() => database.empty())

type Write = readonly [table: string, event: 'insert' | 'update' | 'delete']

/** Runs an act beside a trigger that drops a write without an error. */
async function whileDropped<T>([table, event]: Write, act: () => Promise<T>): Promise<T> {
  await database.query(
    `create trigger drops before ${event} on oncekey.${table}
       for each row execute function drop_it()`,
  )
  try {
    return await act()
  } finally {
    await database.query(`drop trigger drops on oncekey.${table}`)
  }
}

// A bug: the fan-out reported success, the cursor passed the event, and no delivery was there.
test.each([
  ['webhook_messages', 'insert'],
  ['webhook_deliveries', 'insert'],
] as const)('a fan-out whose %s a trigger drops raises, and takes nothing', async (...write) => {
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: 'http://127.0.0.1:9/hook', types: ['*'] })
  const events = [eventOf(), eventOf()]
  const fannedOut = () => fanOut(hooks, database.pool(), events)
  await expect(whileDropped(write, fannedOut)).rejects.toMatchObject({
    code: 'OK007',
    message: expect.stringContaining(write[0]),
  })
  await fannedOut()
  expect(await hooks.deliveries.list()).toHaveLength(2)
})

test('a fan-out that is repeated, beside another of the same events, raises nothing', async () => {
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: 'http://127.0.0.1:9/hook', types: ['*'] })
  const events = Array.from({ length: 20 }, () => eventOf())
  await Promise.all(Array.from({ length: 6 }, () => fanOut(hooks, database.pool(), events)))
  expect(await hooks.deliveries.list()).toHaveLength(20)
})

type Act = (hooks: Webhooks<PoolClient>, endpoint: string, letter: string) => Promise<unknown>
const ACTS: readonly (readonly [name: string, write: Write, act: Act])[] = [
  [
    'register, of the endpoint',
    ['webhook_endpoints', 'insert'],
    (hooks) => hooks.endpoints.register({ url: 'http://127.0.0.1:9/hook', types: ['*'] }),
  ],
  [
    'register, of its secret',
    ['webhook_secrets', 'insert'],
    (hooks) => hooks.endpoints.register({ url: 'http://127.0.0.1:9/hook', types: ['*'] }),
  ],
  ['update', ['webhook_endpoints', 'update'], (h, id) => h.endpoints.update(id, { rate: 5 })],
  ['pause', ['webhook_endpoints', 'update'], (h, id) => h.endpoints.pause(id)],
  ['delete', ['webhook_secrets', 'delete'], (h, id) => h.endpoints.delete(id)],
  ['rotateSecret', ['webhook_secrets', 'insert'], (h, id) => h.endpoints.rotateSecret(id)],
  [
    'rotateSecret after a leak',
    ['webhook_secrets', 'update'],
    (h, id) => h.endpoints.rotateSecret(id, { overlapMs: 0 }),
  ],
  ['retry', ['webhook_deliveries', 'update'], (h, _, id) => h.deliveries.retry(id)],
  [
    'edit and redrive, of the message',
    ['webhook_messages', 'insert'],
    (h, _, id) => h.deadLetters.replace?.(id, '{}', {}) ?? Promise.resolve(),
  ],
  [
    'edit and redrive, of the letter',
    ['webhook_deliveries', 'update'],
    (h, _, id) => h.deadLetters.replace?.(id, '{}', {}) ?? Promise.resolve(),
  ],
  [
    'edit and redrive, of the mark for whom it is',
    ['webhook_messages', 'update'],
    (h, _, id) => h.deadLetters.replace?.(id, '{}', {}) ?? Promise.resolve(),
  ],
  [
    'discard, of the mark that lasts',
    ['webhook_messages', 'update'],
    (h, _, id) => h.deadLetters.discard([id], 'unwanted', {}),
  ],
]

// A bug: a secret that had leaked went on signing, and a letter was dead while what was to replace
// it was sent; both acts said something else.
test.each(ACTS)('an act whose write a trigger drops is refused: %s', async (_, write, act) => {
  const receiver = await startReceiver(400)
  const hooks = database.hooks()
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf()])
  await hooks.createWorker().deliverOnce()
  const [letter] = await hooks.deliveries.list()
  const before = await hooks.deliveries.list()
  await expect(
    whileDropped(write, () => act(hooks, endpoint.id, letter?.id ?? '')),
  ).rejects.toMatchObject({
    code: 'store-unavailable',
    message: expect.stringContaining(`"${write[0]}" of Oncekey was dropped`),
  })
  expect(await hooks.deliveries.list()).toEqual(before)
})
