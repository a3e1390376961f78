import { once as happens } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { app } from '../src/app.ts'
import { clientOf } from '../src/client.ts'

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

test('a mutation runs once, with its event, however often it is sent', async () => {
  const ana = clientOf(url, 'ana')
  const context = { key: 'violin' }
  const first = await ana.place.mutate({ item: 'violin' }, { context })
  expect(first).toEqual({ id: 1, item: 'violin' })
  expect(await ana.place.mutate({ item: 'violin' }, { context })).toEqual(first)
  await expect(ana.place.mutate({ item: 'cello' }, { context })).rejects.toThrow()
  await expect(
    ana.place.mutate({ item: 7 } as never, { context: { key: 'seven' } }),
  ).rejects.toThrow('UNPROCESSABLE_CONTENT')
  await clientOf(url, 'bo').place.mutate({ item: 'violin' }, { context })
  expect(await ana.books.query()).toEqual({ orders: 2, events: 2 })
})
