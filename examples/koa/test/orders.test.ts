import { once as happens } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { app } from '../src/app.ts'

const server = app.listen(0, '127.0.0.1')
let url = ''

beforeAll(async () => {
  if (!server.listening) await happens(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

async function order(key: string, body: object, account = 'ana') {
  const response = await fetch(`${url}/orders`, {
    method: 'POST',
    headers: { 'x-account': account, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  })
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, replayed, body: await response.text() }
}

const books = async () => (await fetch(`${url}/books`)).json()

describe('an order', { timeout: 30_000 }, () => {
  test('is placed once, with its event, however often and however many at once', async () => {
    const first = await order('violin', { item: 'violin' })
    expect(first).toMatchObject({ status: 201, replayed: false })
    expect(await order('violin', { item: 'violin' })).toEqual({ ...first, replayed: true })
    expect((await order('violin', { item: 'cello' })).status).toBe(422)
    await Promise.all(Array.from({ length: 50 }, () => order('viola', { item: 'viola' })))
    expect(await books()).toEqual({ orders: 2, events: 2 })
  })

  test('that is refused is refused again, and another account has keys of its own', async () => {
    expect(await order('none', {})).toMatchObject({ status: 422, replayed: false })
    expect(await order('none', {})).toMatchObject({ status: 422, replayed: true })
    expect(await order('violin', { item: 'violin' }, 'bo')).toMatchObject({ replayed: false })
    expect(await books()).toEqual({ orders: 3, events: 3 })
  })
})
