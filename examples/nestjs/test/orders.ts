import { expect, onTestFinished, test } from 'vitest'
import { createApp } from '../src/create-app.ts'

/** The example, on whatever database the environment names. */
export function placesOrders(platform: 'express' | 'fastify'): void {
  test(`an order is placed once, with its event, however often it is sent: ${platform}`, async () => {
    const app = await createApp(platform)
    onTestFinished(() => app.close())
    await app.listen(0, '127.0.0.1')
    const url = await app.getUrl()
    const order = async (key: string, body: object, headers = { 'x-account': 'ana' } as object) => {
      const response = await fetch(`${url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
        body: JSON.stringify(body),
      })
      const replayed = response.headers.get('x-idempotency-replayed') === 'true'
      return { status: response.status, replayed, body: await response.json() }
    }

    const first = await order('violin', { item: 'violin' })
    expect(first).toMatchObject({ status: 201, replayed: false, body: { item: 'violin' } })
    expect(await order('violin', { item: 'violin' })).toEqual({ ...first, replayed: true })
    expect(await order('violin', { item: 'cello' })).toMatchObject({ status: 422 })
    await Promise.all(Array.from({ length: 20 }, () => order('viola', { item: 'viola' })))

    // A request without a valid account gets 401 and not the replay. After a body that a pipe
    // refuses, the client may send a corrected one under the same key.
    expect(await order('violin', { item: 'violin' }, {})).toMatchObject({ status: 401 })
    expect(await order('harp', { item: 1 })).toMatchObject({ status: 400 })
    expect(await order('harp', { item: 'harp' })).toMatchObject({ status: 201, replayed: false })
    // A refusal by the handler is kept and replayed.
    expect(await order('kazoo', { item: 'kazoo' })).toMatchObject({ status: 422, replayed: false })
    expect(await order('kazoo', { item: 'kazoo' })).toMatchObject({ status: 422, replayed: true })

    const headers = { 'x-account': 'ana' }
    const books = await (await fetch(`${url}/orders/books`, { headers })).json()
    expect(books).toEqual({ orders: 3, events: 3 })
    const described = await fetch(`${url}/openapi-json`)
    const document = (await described.json()) as Described
    expect(document.paths['/orders'].post.parameters).toMatchObject([{ name: 'Idempotency-Key' }])
  }, 60_000)
}

interface Described {
  readonly paths: { readonly '/orders': { readonly post: { readonly parameters: unknown[] } } }
}
