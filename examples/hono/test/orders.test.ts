import { describe, expect, test } from 'vitest'
import { app } from '../src/app.ts'

async function order(key: string, body: object, account = 'ana') {
  const response = await app.request('/orders', {
    method: 'POST',
    headers: {
      authorization: `Bearer ${account}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body),
  })
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, replayed, body: await response.text() }
}

const books = async () => (await app.request('/books')).json()

describe('an order', { timeout: 30_000 }, () => {
  test('is placed once, with its event, however often and concurrently it is sent', async () => {
    const first = await order('violin', { item: 'violin' })
    expect(first).toMatchObject({ status: 201, replayed: false })
    expect(await order('violin', { item: 'violin' })).toEqual({ ...first, replayed: true })
    expect((await order('violin', { item: 'cello' })).status).toBe(422)
    await Promise.all(Array.from({ length: 50 }, () => order('viola', { item: 'viola' })))
    expect(await books()).toEqual({ orders: 2, events: 2 })
  })

  test('under the same key of another account is another order', async () => {
    const before = (await books()) as { orders: number }
    await order('harp', { item: 'harp' })
    expect(await order('harp', { item: 'harp' }, 'bo')).toMatchObject({ replayed: false })
    expect(await books()).toMatchObject({ orders: before.orders + 2 })
  })

  test('that the validator refuses is refused on every retry', async () => {
    expect(await order('none', {})).toMatchObject({ status: 422, replayed: false })
    expect(await order('none', {})).toMatchObject({ status: 422, replayed: true })
  })
})
