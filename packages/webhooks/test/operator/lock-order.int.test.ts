import { waitFor } from '@oncekey/test-servers'
import type { Webhooks } from '@oncekey/webhooks'
import type { PoolClient } from 'pg'
import { v7 } from 'uuid'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { type DeliveryVerdict, recordVerdicts } from '../../src/statements/verdicts.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())
const by = { actor: 'maria@shop.example', note: 'the account was closed' }

/** Makes an endpoint that has a dead delivery of each of these messages, in this order. */
async function deadAt(hooks: Webhooks<PoolClient>, messages: readonly string[]) {
  const { endpoint } = await hooks.endpoints.register({ url: 'http://127.0.0.1:9', types: ['*'] })
  const ids: string[] = []
  for (const [at, message] of messages.entries()) {
    const [row] = await database.query<{ id: string }>(
      `insert into oncekey.webhook_deliveries (message_id, endpoint_id, state, reason, died_at)
         values ($1, $2, 'dead', 'permanent', now() - $3::integer * interval '1 minute')
         returning id::text as id`,
      // The one that was made last died first.
      [message, endpoint.id, at + 1],
    )
    ids.push(row?.id ?? '')
  }
  return { endpoint, ids }
}

/** As many other letters as it takes until two are found by their ids. */
async function otherLetters(): Promise<void> {
  await database.query(
    `insert into oncekey.webhook_deliveries (message_id, endpoint_id, state, reason, died_at)
       select gen_random_uuid(), gen_random_uuid(), 'dead', 'permanent', now()
         from generate_series(1, 3000)`,
  )
  await database.query('analyze oncekey.webhook_deliveries')
}

async function twoMessages(): Promise<[string, string]> {
  const ids: [string, string] = [v7(), v7()]
  for (const id of ids) {
    await database.query(
      `insert into oncekey.webhook_messages (id, type, source, headers, body, occurred_at)
        values ($1, 'order.created', '/', '{}', '{}', now())`,
      [id],
    )
  }
  return ids
}

/**
 * Runs two acts on the two rows of a table while both rows are locked. They are let go one after
 * the other: an act that waits for the second is then blocked by what the other has locked first.
 */
async function bothWhile<A, B>(table: string, one: () => Promise<A>, other: () => Promise<B>) {
  const rows = await database.query<{ id: string }>(
    `select id::text as id from oncekey.${table} order by ${table}.id limit 2`,
  )
  const locks = await Promise.all(rows.map(({ id }) => lockOn(table, id)))
  const acts = Promise.all([one(), other()])
  // So that its rejection is handled if this fails before.
  acts.catch(() => {})
  for (const letGo of locks) {
    await waitFor(
      async () => {
        const blocked = await database.query(
          `select from pg_stat_activity
            where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
        )
        return blocked.length === 2
      },
      { what: 'both to wait' },
    )
    await letGo()
  }
  return await acts
}

async function lockOn(table: string, id: string): Promise<() => Promise<void>> {
  const client = await database.pool().connect()
  await client.query('begin')
  await client.query(`select from oncekey.${table} where id::text = $1 for update`, [id])
  onTestFinished(() => client.release(true))
  return async () => void (await client.query('commit'))
}

const discarded = (ids: readonly string[]) => ids.map((id) => ({ id, outcome: 'discarded' }))

// A bug: each discard locked the messages in the order of its deliveries, to note it in them. Two
// that had the same messages in another order deadlocked, and one of them was undone.
test('what is discarded at two endpoints at once is discarded at both', async () => {
  const hooks = database.hooks()
  const [first, second] = await twoMessages()
  const here = await deadAt(hooks, [first, second])
  const there = await deadAt(hooks, [second, first])
  const discard = (ids: readonly string[]) => () => hooks.deadLetters.discard(ids, 'closed', by)
  const [one, other] = await bothWhile('webhook_messages', discard(here.ids), discard(there.ids))
  expect(one).toEqual(discarded(here.ids))
  expect(other).toEqual(discarded(there.ids))
})

// The same with what redrives lock.
test.each(['dead letters', 'a window'])(
  'a redrive of %s and a discard of the same letters wait for each other',
  async (what) => {
    const hooks = database.hooks()
    const [first, second] = await twoMessages()
    const { endpoint, ids } = await deadAt(hooks, [second, first])
    await otherLetters()
    const { redrives } = hooks.deadLetters
    if (what === 'a window') {
      const since = new Date(Date.now() - 60_000)
      await hooks.deliveries.replay({ endpointId: endpoint.id, since })
    } else await redrives?.start({ origin: endpoint.id }, { ratePerSecond: 1_000 }, by)
    const [carried, outcomes] = await bothWhile(
      'webhook_deliveries',
      async () => redrives?.carry(),
      () => hooks.deadLetters.discard(ids, 'closed', by),
    )
    const known = outcomes.map(({ outcome }) => outcome)
    expect(known).toEqual(
      carried?.redriven === 2 ? ['retrying', 'retrying'] : ['discarded', 'discarded'],
    )
  },
)

test('events that are fanned out for two parties at once, in other orders, are told to both', async () => {
  const events = [eventOf(), eventOf()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const of = (party: string) => database.hooks({ consumerName: party, customerOf: () => party })
  const [shop, buyers, sellers] = [of('shop'), of('buyer'), of('seller')]
  for (const [hooks, customer] of [
    [shop, 'shop'],
    [buyers, 'buyer'],
    [sellers, 'seller'],
  ] as const) {
    await hooks.endpoints.register({ url: 'http://127.0.0.1:9', types: ['*'], customer })
  }
  await fanOut(shop, database.pool(), events)
  await bothWhile(
    'webhook_messages',
    () => fanOut(buyers, database.pool(), events),
    () => fanOut(sellers, database.pool(), events.toReversed()),
  )
  expect(await database.query('select from oncekey.webhook_deliveries')).toHaveLength(6)
})

test('an event is erased while the verdicts of its deliveries are recorded', async () => {
  const hooks = database.hooks()
  for (const _ of ['one', 'other']) {
    await hooks.endpoints.register({ url: 'http://127.0.0.1:9', types: ['*'] })
  }
  const event = eventOf()
  await fanOut(hooks, database.pool(), [event])
  const claimed = await database.query<{ id: string; endpoint: string }>(
    `update oncekey.webhook_deliveries
       set epoch = 1, unfinished = 1, leased_until = now() + interval '1 minute'
       returning id::text as id, endpoint_id::text as endpoint`,
  )
  const verdicts = claimed.map(({ id, endpoint: endpointId }) => ({
    ...{ id, epoch: 1, state: 'delivered', reason: null, gone: false, delayMs: 0, blockMs: 0 },
    ...{ blame: 'none', unsent: false, status: 204, error: null, message: null, durationMs: 1 },
    ...{ body: null, truncated: false },
    sent: { endpointId, url: '', headers: null, tls: null, secret: null },
  })) as DeliveryVerdict[]
  const { text, values } = recordVerdicts('oncekey', verdicts.toReversed(), {
    ...{ breakerFailures: 5, cooldownMs: 1_000, maxCooldownMs: 1_000, disableAfterMs: 1_000 },
    ...{ disableAfterAttempts: 5, disableAfterEvents: 5 },
  })
  await bothWhile(
    'webhook_deliveries',
    () => database.query(text, [...values]),
    () => database.query(`select oncekey.erase_event($1, 'maria', '["event"]', '')`, [event.id]),
  )
  expect(await database.query('select distinct state from oncekey.webhook_deliveries')).toEqual([
    { state: 'delivered' },
  ])
})
