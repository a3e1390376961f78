import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { Controller, Post, StreamableFile, type Type } from '@nestjs/common'
import { memoryStore } from '@oncekey/core'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { of } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { platforms, upOn } from '../support/nest-app.ts'

/** Opens when the first request's client has gone, to the knowledge of the server. */
let gone: Promise<unknown>
let runs = 0

function route(answer: () => unknown): Type {
  @Controller()
  class Orders {
    @Post('orders')
    @Idempotent({ waitMs: 5_000 })
    async create(): Promise<unknown> {
      runs += 1
      if (runs === 1) await gone
      return answer()
    }
  }
  return Orders
}

async function* pieces() {
  yield Buffer.from('a')
  await new Promise((resolve) => setImmediate(resolve))
  yield Buffer.from('b')
}

/** Has the first request's client hang up while the handler runs, and asks again. */
async function askedAgain(platform: (typeof platforms)[number], answer: () => unknown) {
  runs = 0
  const module = IdempotencyModule.forRoot({ store: memoryStore(), scope: 'dangerously-shared' })
  const { app, url, post } = await upOn(platform, {
    imports: [module],
    controllers: [route(answer)],
  })
  const asked = once(app.getHttpServer(), 'request') as Promise<[unknown, ServerResponse]>
  const { hostname, port } = new URL(url)
  const client = connect(Number(port), hostname)
  const body = '{"item":"violin"}'
  client.write(
    'POST /orders HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: k\r\n' +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  gone = asked.then(([, res]) => once(res, 'close'))
  await asked
  client.destroy()
  await gone
  return post('/orders')
}

// Nest tears an Observable down when its client hangs up, and answers nothing: the key, and its
// transaction, were once held until the handler's timeout.
describe.each(platforms)('a client of Nest on %s that has hung up', (platform) => {
  test('gets what an Observable had for it', async () => {
    const again = await askedAgain(platform, () => of({ id: 1 }))
    expect(again).toMatchObject({ status: 201, text: '{"id":1}', replayed: true })
    expect(runs).toBe(1)
  })

  test.each([
    ['a file that comes in pieces', () => new StreamableFile(Readable.from(pieces()))],
    ['an async iterable', () => pieces()],
  ])('does not wait for the timeout of %s', async (_, answer) => {
    expect(await askedAgain(platform, answer)).toMatchObject({ status: 201, text: 'ab' })
  })
})
