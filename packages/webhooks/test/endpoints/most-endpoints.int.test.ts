import { beforeEach, expect, test } from 'vitest'
import { webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

const customerOf = ({ headers }: { headers: Readonly<Record<string, string>> }) => headers.customer
const endpoint = { customer: 'acme', url: 'https://hooks.example/', types: ['*'] }
const tooMany = expect.objectContaining({ code: 'too-many-endpoints' })

// A bug: a customer could register any number, and each event was sent to all of them.
test('a customer has no more endpoints than maxEndpointsPerCustomer, and others have theirs', async () => {
  const hooks = database.hooks({ customerOf, maxEndpointsPerCustomer: 2 })
  const { endpoint: first } = await hooks.endpoints.register(endpoint)
  await hooks.endpoints.register(endpoint)
  await expect(hooks.endpoints.register(endpoint)).rejects.toThrow(
    'The customer "acme" has as many endpoints as it may have (2)',
  )
  await expect(hooks.forCustomer('acme').endpoints.register(endpoint)).rejects.toEqual(tooMany)
  await hooks.endpoints.register({ ...endpoint, customer: 'other' })
  // Nothing is left of a refused one.
  for (const table of ['webhook_endpoints', 'webhook_secrets']) {
    expect(await database.query(`select from oncekey.${table}`)).toHaveLength(3)
  }

  await hooks.endpoints.disable(first.id)
  await expect(hooks.endpoints.register(endpoint)).rejects.toEqual(tooMany)
  await hooks.endpoints.delete(first.id)
  await hooks.endpoints.register(endpoint)
})

test.each(['read committed', 'repeatable read'])(
  'of registrations at the same time no more are made, at %s',
  async (level) => {
    const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`
    const client = database.pool({ max: 50, options })
    const hooks = database.hooks({ client, customerOf, maxEndpointsPerCustomer: 7 })
    const fifty = Array.from({ length: 50 })
    // All connections are there before the first one registers.
    await Promise.all(fifty.map(() => client.query('select pg_sleep(0.3)')))
    const all = fifty.map(() => hooks.endpoints.register(endpoint))
    const ended = await Promise.allSettled(all)
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(7)
    for (const each of ended) if (each.status === 'rejected') expect(each.reason).toEqual(tooMany)
    expect(await hooks.endpoints.list()).toHaveLength(7)
  },
)

test('without customers there may be any number, and with them a hundred by default', async () => {
  const plain = database.hooks({ maxEndpointsPerCustomer: 1 })
  for (let n = 0; n < 3; n += 1) {
    await plain.endpoints.register({ url: 'https://hooks.example/', types: ['*'] })
  }
  const hooks = database.hooks({ customerOf })
  for (let n = 0; n < 100; n += 1) await hooks.endpoints.register(endpoint)
  await expect(hooks.endpoints.register(endpoint)).rejects.toEqual(tooMany)
  expect(() => database.hooks({ maxEndpointsPerCustomer: 0 })).toThrow('maxEndpointsPerCustomer')
})
