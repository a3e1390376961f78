import { expect } from 'vitest'

/** Orders through `fetch`, a server's or the app's own, whose database is new. */
export async function placesOrdersOnce(
  fetch: (request: Request) => Promise<Response>,
  origin = 'http://shop.example.org',
): Promise<void> {
  const order = async (key: string, body: object, account = 'ana') => {
    const response = await fetch(
      new Request(`${origin}/orders`, {
        method: 'POST',
        headers: {
          'x-account': account,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify(body),
      }),
    )
    const replayed = response.headers.get('x-idempotency-replayed') === 'true'
    return { status: response.status, replayed, body: await response.text() }
  }

  const first = await order('violin', { item: 'violin' })
  expect(first).toMatchObject({ status: 201, replayed: false })
  expect(await order('violin', { item: 'violin' })).toEqual({ ...first, replayed: true })
  expect((await order('violin', { item: 'cello' })).status).toBe(422)
  await Promise.all(Array.from({ length: 50 }, () => order('viola', { item: 'viola' })))
  expect(await order('none', {})).toMatchObject({ status: 422, replayed: false })
  expect(await order('none', {})).toMatchObject({ status: 422, replayed: true })
  expect(await order('violin', { item: 'violin' }, 'bo')).toMatchObject({ replayed: false })
  const books = await fetch(new Request(`${origin}/books`))
  expect(await books.json()).toEqual({ orders: 3, events: 3 })
}
