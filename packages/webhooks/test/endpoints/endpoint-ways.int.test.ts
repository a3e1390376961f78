import { randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { selfSigned, waitFor } from '@oncekey/test-servers'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const { cert, key } = selfSigned

const database = webhooksDatabase()
beforeEach(() => database.empty())

const events = (count: number) => Array.from({ length: count }, () => eventOf())
const seal = { current: 'k1', keys: { k1: randomBytes(32) } }

describe('headers of an endpoint', () => {
  test('go with every delivery and ping, are sealed, and are never shown', async () => {
    const hooks = database.hooks({ seal })
    const receiver = await startReceiver()
    const { endpoint } = await hooks.endpoints.register({
      url: receiver.url,
      types: ['*'],
      headers: { Authorization: 'Bearer s3cret', 'user-agent': 'Acme', cookie: 'a=b' },
    })
    expect(endpoint.headers).toEqual(['authorization', 'user-agent', 'cookie'])
    const stored = await database.query('select headers::text from oncekey.webhook_endpoints')
    expect(JSON.stringify(stored)).not.toContain('s3cret')
    await fanOut(hooks, database.pool(), events(1))
    await hooks.createWorker().deliverOnce()
    await hooks.endpoints.ping(endpoint.id)
    for (const { headers } of receiver.received) {
      expect(headers).toMatchObject({
        authorization: 'Bearer s3cret',
        'user-agent': 'Acme',
        cookie: 'a=b',
        'content-type': 'application/json',
        'webhook-id': expect.any(String),
      })
    }
    expect(receiver.received).toHaveLength(2)

    // A field that is left out is unchanged; null removes it.
    expect(await hooks.endpoints.update(endpoint.id, { types: ['*'] })).toMatchObject({
      headers: ['authorization', 'user-agent', 'cookie'],
    })
    expect(await hooks.endpoints.update(endpoint.id, { headers: null })).toMatchObject({
      headers: [],
    })
    await hooks.endpoints.ping(endpoint.id)
    expect(receiver.received[2]?.headers.authorization).toBeUndefined()
  })

  test('copied from another endpoint do not open, and nothing is sent without them', async () => {
    const hooks = database.hooks({ seal })
    const receiver = await startReceiver()
    const of = { url: receiver.url, types: ['*'], headers: { authorization: 'x' } }
    const { endpoint } = await hooks.endpoints.register({ ...of, types: ['none'] })
    await hooks.endpoints.register(of)
    await database.query(
      `update oncekey.webhook_endpoints set headers =
         (select headers from oncekey.webhook_endpoints where id = $1)`,
      [endpoint.id],
    )
    await fanOut(hooks, database.pool(), events(1))
    await hooks.createWorker().deliverOnce()
    expect(receiver.received).toEqual([])
    expect(await hooks.deliveries.list()).toMatchObject([
      { state: 'pending', error: 'seal-broken' },
    ])
  })

  test.each([
    'webhook-id',
    'Webhook-Signature',
    'content-type',
    'Content-Length',
    'host',
    'connection',
    'transfer-encoding',
    'proxy-authorization',
    'te',
    'x-delivery-attempt',
  ])('cannot be %s', async (name) => {
    const url = 'https://hooks.example/'
    await expect(
      database.hooks().endpoints.register({ url, types: ['*'], headers: { [name]: 'x' } }),
    ).rejects.toMatchObject({
      code: 'options-invalid',
      message: expect.stringMatching(/cannot be an endpoint/),
    })
  })

  test.each([
    { 'a b': 'x' },
    { a: 'x\r\nwebhook-id: 1' },
    { a: 'ü' },
    { a: '' },
    { a: ' x' },
    { A: 'x', a: 'y' },
    { a: 'x'.repeat(9_000) },
  ])('cannot be %j', async (headers) => {
    const url = 'https://hooks.example/'
    await expect(
      database.hooks().endpoints.register({ url, types: ['*'], headers: headers as never }),
    ).rejects.toMatchObject({ code: 'options-invalid' })
  })
})

describe('certificates of an endpoint', () => {
  test('authenticate its server to us and us to it', async () => {
    const hooks = database.hooks({ seal })
    const shown: boolean[] = []
    const asks = { requestCert: true, rejectUnauthorized: false }
    const server = createServer({ key, cert, ca: cert, ...asks }, (request, response) => {
      shown.push((request.socket as TLSSocket).authorized)
      response.writeHead(204).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const { endpoint } = await hooks.endpoints.register({ url, types: ['*'] })
    expect(await hooks.endpoints.ping(endpoint.id)).toMatchObject({
      error: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
    await hooks.endpoints.update(endpoint.id, { tls: { ca: cert } })
    expect(await hooks.endpoints.ping(endpoint.id)).toMatchObject({ isDelivered: true })
    expect(
      await hooks.endpoints.update(endpoint.id, { tls: { ca: cert, cert, key } }),
    ).toMatchObject({ tls: true })
    const stored = await database.query('select tls::text from oncekey.webhook_endpoints')
    expect(JSON.stringify(stored)).not.toContain('BEGIN')
    await fanOut(hooks, database.pool(), events(1))
    await hooks.createWorker().deliverOnce()
    expect(await hooks.deliveries.list()).toMatchObject([{ state: 'delivered' }])
    expect(shown).toEqual([false, true])
  })

  test('whose handshake never ends do not occupy the concurrency limit for ever', async () => {
    const hooks = database.hooks({ timeoutMs: 300 })
    const silent = createTcpServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void silent.close())
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/`
    await hooks.endpoints.register({ url, types: ['*'], tls: { ca: cert } })
    await fanOut(hooks, database.pool(), events(1))
    expect(await hooks.createWorker().deliverOnce()).toBe(1)
    expect(await hooks.deliveries.list()).toMatchObject([{ state: 'pending', error: 'timeout' }])
  })

  test('are checked at registration', async () => {
    const { endpoints } = database.hooks()
    for (const tls of [{}, { cert }, { key }, { ca: 'nonsense' }, { ca: cert.slice(0, 200) }]) {
      await expect(
        endpoints.register({ url: 'https://hooks.example/', types: ['*'], tls }),
      ).rejects.toMatchObject({ code: 'options-invalid' })
    }
  })
})

describe('the rate of an endpoint', () => {
  test('is shared by all workers', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    const { endpoint } = await hooks.endpoints.register({
      url: receiver.url,
      types: ['*'],
      rate: 0.001,
    })
    const free = await startReceiver()
    await hooks.endpoints.register({ url: free.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(4))
    const workers = Array.from({ length: 10 }, () => hooks.createWorker())
    const counts = await Promise.all(workers.map((worker) => worker.deliverOnce()))
    expect(counts.reduce((sum, count) => sum + count)).toBe(5)
    expect(receiver.received).toHaveLength(1)
    expect(free.received).toHaveLength(4)
    // A changed rate applies at once.
    expect(await hooks.endpoints.update(endpoint.id, { rate: null })).toMatchObject({ rate: null })
    expect(await hooks.createWorker().deliverOnce()).toBe(3)
  })

  test.each([8, 40])(
    "never exceeds %i in a second of the database's clock, with two busy workers",
    async (rate) => {
      const hooks = database.hooks()
      const receiver = await startReceiver()
      await hooks.endpoints.register({ url: receiver.url, types: ['*'], rate })
      await database.query(`create table claims (at timestamptz)`)
      await database.query(
        `create function note_claim() returns trigger language plpgsql as
         $$ begin insert into claims values (now()); return null; end $$`,
      )
      await database.query(
        `create trigger note after update on oncekey.webhook_deliveries for each row
           when (new.epoch > old.epoch) execute function note_claim()`,
      )
      onTestFinished(async () => {
        await database.query('drop trigger note on oncekey.webhook_deliveries')
        await database.query('drop function note_claim')
        await database.query('drop table claims')
      })
      const count = rate * 2
      await fanOut(hooks, database.pool(), events(count))
      const workers = [1, 2].map(() => hooks.createWorker({ pollMs: 1, endpointConcurrency: 50 }))
      for (const worker of workers) worker.start()
      onTestFinished(async () => {
        await Promise.all(workers.map((worker) => worker.stop()))
      })
      await waitFor(() => receiver.received.length === count, { what: 'all', timeoutMs: 30_000 })
      const [row] = await database.query<{ most: number }>(
        `select max((select count(*) from claims b
             where b.at >= a.at and b.at < a.at + interval '1 second'))::int as most from claims a`,
      )
      expect(row?.most).toBeLessThanOrEqual(rate)
      expect(row?.most).toBeGreaterThan(1)
    },
  )

  test('and its breaker write nothing while nothing is due, and lock no more rows than the limit allows', async () => {
    const hooks = database.hooks()
    const of = { url: 'https://hooks.example/', types: ['*'] }
    for (let n = 0; n < 5; n += 1) await hooks.endpoints.register({ ...of, rate: 10 })
    await hooks.endpoints.register(of)
    await fanOut(hooks, database.pool(), events(2))
    await database.query(`update oncekey.webhook_endpoints set failures = 9 where rate is null`)
    const claim = `select oncekey.claim_webhooks_2(3, 5, '[]', 30000, 5, 5, true)`
    const client = await database.pool().connect()
    onTestFinished(() => client.release())
    await client.query('begin')
    const { rowCount } = await client.query(claim)
    expect(rowCount).toBe(3)
    const { rows: open } = await database
      .pool()
      .query('select id from oncekey.webhook_endpoints for update skip locked')
    expect(open).toHaveLength(3)
    await client.query('rollback')

    await database.query(`update oncekey.webhook_deliveries set due_at = now() + interval '1 hour'`)
    await client.query('begin')
    await client.query(claim)
    const { rows } = await client.query('select pg_current_xact_id_if_assigned() as written')
    await client.query('commit')
    // A row lock is a write, too.
    expect(rows).toEqual([{ written: null }])
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5'])('cannot be %s', async (rate) => {
    await expect(
      database
        .hooks()
        .endpoints.register({ url: 'https://hooks.example/', types: ['*'], rate: rate as number }),
    ).rejects.toMatchObject({ code: 'options-invalid' })
  })
})

test('a deleted endpoint leaves no secret behind', async () => {
  const hooks = database.hooks()
  const { endpoint } = await hooks.endpoints.register({
    url: 'https://hooks.example/',
    types: ['*'],
    headers: { authorization: 's3cret' },
    tls: { ca: cert, cert, key },
  })
  expect(await hooks.endpoints.delete(endpoint.id)).toMatchObject({ headers: [], tls: false })
  expect(await database.query('select headers, tls from oncekey.webhook_endpoints')).toEqual([
    { headers: null, tls: null },
  ])
})

test('a worker of the previous release gets no delivery that needs headers or certificates', async () => {
  const hooks = database.hooks()
  const url = 'http://127.0.0.1:1/'
  await hooks.endpoints.register({ url, types: ['*'], headers: { authorization: 'x' } })
  await hooks.endpoints.register({ url, types: ['*'], tls: { ca: cert } })
  const { endpoint } = await hooks.endpoints.register({ url, types: ['*'] })
  await fanOut(hooks, database.pool(), events(1))
  const claimed = await database.query<{ delivery: string }>(
    `select oncekey.claim_webhooks(10, 5, '[]', 30000, 5, 5) as delivery`,
  )
  expect(claimed.map(({ delivery }) => JSON.parse(delivery).endpointId)).toEqual([endpoint.id])
  expect(await hooks.createWorker().deliverOnce()).toBe(2)
})

test('an unreachable egress proxy is held against no endpoint', async () => {
  const hooks = database.hooks({ proxy: 'http://127.0.0.1:1', breakerFailures: 1 })
  const receiver = await startReceiver()
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), events(1))
  expect(await hooks.createWorker().deliverOnce()).toBe(1)
  expect(
    await database.query('select state, error, tries from oncekey.webhook_deliveries'),
  ).toEqual([{ state: 'pending', error: 'proxy-unavailable', tries: 0 }])
  expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({ failingSince: null })
})
