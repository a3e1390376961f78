import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { memoryStore, type Store } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { postgresStore } from '@oncekey/postgres'
import { createSagaRunner, SagaError } from '@oncekey/saga'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type GatewayServer, gatewayServer } from './gateway-server.ts'
import { orderSaga } from './order-saga.ts'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

describe.each([
  { name: 'memory', store: (): Store => memoryStore({ mode: 'lease' }) as Store },
  {
    name: 'Postgres',
    store: (): Store => postgresStore({ client: database.pool(), mode: 'lease' }) as Store,
  },
])('a route over a $name store in lease mode', ({ store }) => {
  let gateway: GatewayServer
  let url: string
  let close: () => void
  /**
   * Makes the handler throw after the saga has ended, as if the process had died before it
   * responded.
   */
  let dieOnce = false

  beforeAll(async () => {
    gateway = await gatewayServer()
    const order = orderSaga(gateway)
    const sagas = createSagaRunner({ client: database.pool(), sagas: [order] })
    const once = idempotency({
      store: store(),
      scope: () => 'customer-1',
      disposition: { 402: 'commit' },
    })
    const app = express()
    app.post('/orders', express.json(), once, async (req, res) => {
      try {
        const charge = await sagas.execute(order, { context: once.of(req), input: req.body })
        if (dieOnce) {
          dieOnce = false
          throw new Error('died')
        }
        res.status(201).json({ charge })
      } catch (error) {
        if (!(error instanceof SagaError && error.code === 'saga-compensated')) throw error
        res.status(402).json({ step: error.step, why: error.cause?.message })
      }
    })
    app.use((_error: unknown, _req: unknown, res: express.Response, _next: unknown) => {
      res.status(500).json({ failed: true })
    })
    const server = app.listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
    close = () => {
      server.close()
      server.closeAllConnections()
    }
  })
  afterAll(async () => {
    close()
    await gateway.close()
  })

  async function post(
    key: string,
    body: object,
  ): Promise<{ status: number; replayed: boolean; json: any }> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
    })
    return {
      status: response.status,
      replayed: response.headers.get('x-idempotency-replayed') === 'true',
      json: await response.json(),
    }
  }

  test('a POST runs the saga and responds with its result; its retry is a replay', async () => {
    const key = randomUUID()
    const first = await post(key, { item: 'kettle' })
    expect(first).toMatchObject({
      status: 201,
      replayed: false,
      json: { charge: expect.stringMatching(/^charge-/) },
    })
    expect(await post(key, { item: 'kettle' })).toEqual({ ...first, replayed: true })
  })

  test('a retry after the handler died finds the run and does not repeat it', async () => {
    const key = randomUUID()
    dieOnce = true
    const calls = gateway.calls.length
    expect(await post(key, { item: 'kettle' })).toMatchObject({ status: 500 })
    const again = await post(key, { item: 'kettle' })
    expect(again).toMatchObject({ status: 201, replayed: false })
    expect(gateway.calls.length - calls).toBe(2)
  })

  test('the response for an undone saga is stored and replayed', async () => {
    const key = randomUUID()
    const first = await post(key, { item: 'kettle', failAt: 'ship' })
    expect(first).toEqual({
      status: 402,
      replayed: false,
      json: { step: 'ship', why: 'ship refused' },
    })
    expect(await post(key, { item: 'kettle', failAt: 'ship' })).toEqual({
      ...first,
      replayed: true,
    })
  })

  test('the same key with another body gets 422 before any saga is looked up', async () => {
    const key = randomUUID()
    await post(key, { item: 'kettle' })
    expect(await post(key, { item: 'toaster' })).toMatchObject({
      status: 422,
      json: { code: 'key-reused' },
    })
  })

  test('fifty concurrent copies of one POST are one run', async () => {
    const key = randomUUID()
    const calls = gateway.calls.length
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => post(key, { item: 'kettle' })),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]))
    expect(gateway.calls.length - calls).toBe(2)
  })
})
