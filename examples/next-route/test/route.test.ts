import { describe, expect, test } from 'vitest'
import { GET, POST } from '../src/app/orders/route.ts'

function order(key: string, body: object): Promise<Response> {
  return POST(
    new Request('https://shop.example/orders', {
      method: 'POST',
      headers: { 'idempotency-key': key, 'content-type': 'application/json', 'x-account': 'ana' },
      body: JSON.stringify(body),
    }),
  )
}

describe('POST of the route', { timeout: 30_000 }, () => {
  test('places an order once, however often and however many at once', async () => {
    const first = await order('violin', { item: 'violin' })
    expect(first.status).toBe(201)
    const again = await order('violin', { item: 'violin' })
    expect(again.headers.get('x-idempotency-replayed')).toBe('true')
    expect(await again.json()).toEqual(await first.json())
    expect((await order('violin', { item: 'cello' })).status).toBe(422)
    await Promise.all(Array.from({ length: 50 }, () => order('viola', { item: 'viola' })))
    expect(await (await GET()).json()).toEqual([
      { id: 1, item: 'violin' },
      { id: 2, item: 'viola' },
    ])
  })

  test('replays a refusal', async () => {
    expect((await order('none', {})).status).toBe(422)
    expect((await order('none', {})).headers.get('x-idempotency-replayed')).toBe('true')
  })
})
