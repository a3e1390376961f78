import { expect, test } from 'vitest'
import { fetchApp } from '../src/app.ts'

async function order(key: string, body: object, account = 'ana') {
  const response = await fetchApp(
    new Request('http://shop.example.org/orders', {
      method: 'POST',
      headers: { 'x-account': account, 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
    }),
  )
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, replayed, body: await response.text() }
}

const books = async () => (await fetchApp(new Request('http://shop.example.org/books'))).json()

test('an order is placed once, with its event, however often and however many at once', async () => {
  const first = await order('violin', { item: 'violin' })
  expect(first).toMatchObject({ status: 201, replayed: false })
  expect(await order('violin', { item: 'violin' })).toEqual({ ...first, replayed: true })
  expect((await order('violin', { item: 'cello' })).status).toBe(422)
  await Promise.all(Array.from({ length: 50 }, () => order('viola', { item: 'viola' })))
  expect(await order('none', {})).toMatchObject({ status: 422, replayed: false })
  expect(await order('none', {})).toMatchObject({ status: 422, replayed: true })
  expect(await order('violin', { item: 'violin' }, 'bo')).toMatchObject({ replayed: false })
  expect(await books()).toEqual({ orders: 3, events: 3 })
})
