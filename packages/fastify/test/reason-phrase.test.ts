import { request } from 'node:http'
import { expect, test } from 'vitest'
import { coveredApp } from './app.ts'

test('a reason phrase set through reply.raw is replayed with any body', async () => {
  const { app } = await coveredApp()
  app.post('/json', async (_request, reply) => {
    reply.raw.statusMessage = 'Order Placed'
    return reply.code(201).send({ id: 1 })
  })
  app.post('/bytes', async (_request, reply) => {
    reply.raw.statusMessage = 'Caf\u00e9'
    return reply.code(201).send(Buffer.from([0xff]))
  })
  app.post('/text', async (_request, reply) => {
    reply.raw.statusMessage = 'Caf\u00e9'
    return reply.code(201).send('text')
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  for (const [path, reason] of [
    ['/json', 'Order Placed'],
    ['/bytes', 'Caf\u00e9'],
    // With a string body Node encodes the head as UTF-8.
    ['/text', 'Caf\u00c3\u00a9'],
  ] as const) {
    expect([await reasonOf(url + path), await reasonOf(url + path)]).toEqual([reason, reason])
  }
  await app.close()
})

function reasonOf(url: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers: { 'idempotency-key': url } })
    asked.on('response', (response) => {
      response.resume()
      resolve(response.statusMessage)
    })
    asked.on('error', reject)
    asked.end()
  })
}
