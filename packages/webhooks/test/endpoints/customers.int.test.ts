import { beforeEach, describe, expect, test } from 'vitest'
import { listDeliveries } from '../../src/statements/deliveries.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

describe("a customer's list of deliveries", () => {
  test("has the newest of all their endpoints, page by page, and nobody else's", async () => {
    const hooks = database.hooks({ customerOf: ({ headers }) => headers.customer })
    const url = 'http://127.0.0.1:9/'
    for (const customer of ['acme', 'acme', 'other']) {
      await hooks.endpoints.register({ customer, url, types: ['*'] })
    }
    for (let at = 0; at < 5; at += 1) {
      const events = ['acme', 'other'].map((customer) => eventOf({ headers: { customer } }))
      await fanOut(hooks, database.pool(), events)
    }
    const { deliveries } = hooks.forCustomer('acme')
    const ids: string[] = []
    for (let before: string | undefined; ; before = ids.at(-1)) {
      const page = await deliveries.list({ limit: 3, ...(before !== undefined && { before }) })
      if (page.length === 0) break
      ids.push(...page.map(({ id }) => id))
    }
    const expected = await database.query<{ id: string }>(
      `select d.id::text from oncekey.webhook_deliveries d
         join oncekey.webhook_endpoints e on e.id = d.endpoint_id
         where e.customer = 'acme' order by d.id desc`,
    )
    expect(ids).toEqual(expected.map(({ id }) => id))
    expect(ids).toHaveLength(10)
    const [newest] = await deliveries.list({ limit: 1 })
    const eventId = newest?.eventId ?? ''
    expect(await deliveries.list({ eventId, state: 'pending' })).toEqual(
      (await hooks.deliveries.list({ eventId })).filter(({ id }) => ids.includes(id)),
    )
  })

  // It read the deliveries of everybody, newest first, until it had enough of this customer: two
  // seconds where there are two million, in a route that customers reach.
  test('reads no deliveries of other customers', async () => {
    const hooks = database.hooks({ customerOf: ({ headers }) => headers.customer })
    const url = 'http://127.0.0.1:9/'
    await hooks.endpoints.register({ customer: 'few', url, types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf({ headers: { customer: 'few' } })])
    const { endpoint } = await hooks.endpoints.register({ customer: 'many', url, types: ['*'] })
    await database.query(
      `insert into oncekey.webhook_deliveries (message_id, endpoint_id, state, ended_at)
         select gen_random_uuid(), $1, 'delivered', now() from generate_series(1, 20000)`,
      [endpoint.id],
    )
    await database.query('analyze oncekey.webhook_deliveries, oncekey.webhook_endpoints')
    const asked = { endpointId: null, eventId: null, state: null, before: null, limit: 100 }
    const { text, values } = listDeliveries('oncekey', { ...asked, customer: 'few' })
    const [row] = await database.query<{ 'QUERY PLAN': readonly [{ Plan: Node }] }>(
      `explain (analyze, format json) ${text}`,
      [...values],
    )
    expect(rowsOfDeliveries(row!['QUERY PLAN'][0].Plan)).toBe(1)
  })
})

interface Node {
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly Node[]
}

/** How many rows of the table of deliveries were read, kept or not. */
function rowsOfDeliveries(node: Node): number {
  const { Plans = [], 'Actual Rows': kept, 'Rows Removed by Filter': removed = 0 } = node
  const own = node['Relation Name'] === 'webhook_deliveries' ? kept + removed : 0
  return own * node['Actual Loops'] + Plans.reduce((sum, each) => sum + rowsOfDeliveries(each), 0)
}

// A bug: an account that was not logged in listed the endpoints of everybody.
test('a list of the endpoints of a customer who did not come is refused', async () => {
  const hooks = database.hooks({ customerOf: ({ headers }) => headers.customer })
  await hooks.endpoints.register({ customer: 'acme', url: 'http://127.0.0.1:9/', types: ['*'] })
  expect(await hooks.endpoints.list()).toHaveLength(1)
  expect(await hooks.endpoints.list({ customer: 'other' })).toEqual([])
  for (const customer of [undefined, null]) {
    await expect(hooks.endpoints.list({ customer } as never)).rejects.toThrow(/"customer" is/)
  }
})
