import { randomBytes } from 'node:crypto'
import type { Webhooks } from '@oncekey/webhooks'
import type { PoolClient } from 'pg'
import { beforeEach, expect, test } from 'vitest'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

const ofCustomer = { customerOf: () => 'acme' }
const url = 'http://127.0.0.1:1/'

// A bug: whoever may register endpoints learned the addresses that internal names have, one ping
// after the other, and the address of the proxy.
test.each<[string, Parameters<typeof database.hooks>[0], string]>([
  ['a forbidden address', { allowAddresses: [] }, 'address-forbidden'],
  ['the proxy', { proxy: { url: 'http://127.0.0.1:2', resolves: true } }, 'proxy-unavailable'],
  ['the address that was dialled', {}, 'ECONNREFUSED'],
])('a ping tells a customer the kind of failure, and not %s', async (_, options, error) => {
  const { endpoint } = await database
    .hooks(ofCustomer)
    .endpoints.register({ customer: 'acme', url, types: ['*'] })
  const hooks = database.hooks({ ...ofCustomer, ...options })
  const told = await hooks.forCustomer('acme').endpoints.ping(endpoint.id)
  expect(told).toMatchObject({ isDelivered: false, error, message: expect.any(String) })
  expect(told?.message).not.toMatch(/127|::1|:\d/)
  // Operators are told more.
  expect((await hooks.endpoints.ping(endpoint.id))?.message).toContain('127.0.0.1')
})

// A bug: these rejected with an error whose message named the key.
test('what rejects for a key that is missing does not tell a customer its name', async () => {
  const seal = { current: 'key-of-frankfurt', keys: { 'key-of-frankfurt': randomBytes(32) } }
  const sealed = database.hooks({ ...ofCustomer, seal })
  const { endpoint } = await sealed.endpoints.register({ customer: 'acme', url, types: ['*'] })
  await fanOut(sealed, database.pool(), [eventOf()])
  const hooks = database.hooks(ofCustomer)
  const { endpoints, deliveries } = hooks.forCustomer('acme')
  const [delivery] = await deliveries.list()
  for (const act of [
    () => endpoints.ping(endpoint.id),
    () => endpoints.secrets(endpoint.id),
    () => endpoints.rotateSecret(endpoint.id),
    () => endpoints.update(endpoint.id, { headers: { 'x-tenant': 'a' } }),
    () => deliveries.request(delivery?.id ?? ''),
  ]) {
    await expect(act()).rejects.toMatchObject({
      code: 'seal-key-missing',
      message: 'It was not done, because of a fault on the side of the sender.',
      cause: { message: expect.stringContaining('key-of-frankfurt') },
    })
  }
  // Operators are told more.
  await expect(hooks.endpoints.ping(endpoint.id)).rejects.toThrow('key-of-frankfurt')
})

test('the history of a delivery does not tell a customer the name of a key', async () => {
  const seal = { current: 'key-of-frankfurt', keys: { 'key-of-frankfurt': randomBytes(32) } }
  const sealed = database.hooks({ ...ofCustomer, seal })
  await sealed.endpoints.register({ customer: 'acme', url, types: ['*'] })
  await fanOut(sealed, database.pool(), [eventOf()])
  await database.hooks(ofCustomer).createWorker().deliverOnce()
  const messageFor = async ({ deliveries }: Pick<Webhooks<PoolClient>, 'deliveries'>) => {
    const [delivery] = await deliveries.list()
    const [attempt] = (await deliveries.get(delivery?.id ?? ''))?.history ?? []
    expect(attempt?.error).toBe('seal-key-missing')
    return attempt?.message
  }
  expect(await messageFor(sealed)).toContain('key-of-frankfurt')
  expect(await messageFor(sealed.forCustomer('acme'))).toBe(
    'It was not sent, because of a fault on the side of the sender.',
  )
})
