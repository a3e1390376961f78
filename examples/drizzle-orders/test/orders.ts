import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'

/** The example, on the database that the environment names. */
export function placesOrders(): void {
  test('an order takes one violin, however often it is sent, and a refusal takes none', async () => {
    const { app } = await import('../src/app.ts')
    const server = app.listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const order = async (key: string, account = 'ana') => {
      const response = await fetch(`${url}/orders`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': key,
          'x-account': account,
        },
        body: JSON.stringify({ item: 'violin' }),
      })
      const replayed = response.headers.get('x-idempotency-replayed') === 'true'
      return { status: response.status, replayed, body: await response.json() }
    }

    const first = await order('one')
    expect(first).toEqual({
      status: 201,
      replayed: false,
      body: { id: expect.any(Number), item: 'violin', buyer: 'ana' },
    })
    expect(await order('one')).toEqual({ ...first, replayed: true })
    await Promise.all(Array.from({ length: 20 }, () => order('two', 'bo')))
    await order('three')
    const refusal = await order('four')
    expect(refusal).toMatchObject({ status: 409, body: { error: 'sold out' } })
    expect(await order('four')).toEqual({ ...refusal, replayed: true })

    const books = await (await fetch(`${url}/books`)).json()
    expect(books).toMatchObject({
      stock: [{ item: 'violin', left: 0 }],
      orders: [{ buyer: 'ana' }, { buyer: 'bo' }, { buyer: 'ana' }],
    })
  }, 60_000)
}
