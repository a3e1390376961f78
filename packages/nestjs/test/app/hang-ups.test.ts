import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import {
  Controller,
  type MessageEvent,
  Post,
  RequestMethod,
  Res,
  Sse,
  StreamableFile,
  type Type,
} from '@nestjs/common'
import { memoryStore } from '@oncekey/core'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { Observable, of } from 'rxjs'
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

let events: Observable<MessageEvent>

@Controller()
class Ticking {
  @Sse('orders', { method: RequestMethod.POST })
  @Idempotent({ response: 'stream' })
  ticks(): Observable<MessageEvent> {
    return events
  }
}

async function* pieces() {
  yield Buffer.from('a')
  await new Promise((resolve) => setImmediate(resolve))
  yield Buffer.from('b')
}

/** A handler that sends the response itself, from a stream that Nest does not know. */
function pipingRoute(): Type {
  @Controller()
  class Orders {
    @Post('orders')
    @Idempotent({ waitMs: 5_000 })
    async create(@Res() reply: ServerResponse | { raw: ServerResponse }): Promise<void> {
      runs += 1
      if (runs === 1) await gone
      const res = 'raw' in reply ? reply.raw : reply
      res.statusCode = 201
      Readable.from(pieces()).pipe(res)
    }
  }
  return Orders
}

/** Has the first request's client hang up while the handler runs, and asks again. */
async function askedAgain(platform: (typeof platforms)[number], controller: Type) {
  runs = 0
  const { app, url, post } = await upOn(platform, {
    imports: [inMemory()],
    controllers: [controller],
  })
  const client = begin(url)
  const asked = once(app.getHttpServer(), 'request') as Promise<[unknown, ServerResponse]>
  gone = asked.then(([, res]) => once(res, 'close'))
  await asked
  client.destroy()
  await gone
  return post('/orders')
}

function inMemory() {
  return IdempotencyModule.forRoot({ store: memoryStore(), scope: 'dangerously-shared' })
}

/** The connection of a client that has sent its request. */
function begin(url: string): Socket {
  const { hostname, port } = new URL(url)
  const client = connect(Number(port), hostname)
  const body = '{"item":"violin"}'
  client.write(
    'POST /orders HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: k\r\n' +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  return client
}

// Nest tears an Observable down when its client hangs up, and answers nothing: the key, and its
// transaction, were once held until the handler's timeout.
describe.each(platforms)('a client of Nest on %s that has hung up', (platform) => {
  test('gets what an Observable had for it', async () => {
    const again = await askedAgain(
      platform,
      route(() => of({ id: 1 })),
    )
    expect(again).toMatchObject({ status: 201, text: '{"id":1}', replayed: true })
    expect(runs).toBe(1)
  })

  test.each([
    ['a file that comes in pieces', () => new StreamableFile(Readable.from(pieces()))],
    ['an async iterable', () => pieces()],
  ])('does not wait for the timeout of %s', async (_, answer) => {
    expect(await askedAgain(platform, route(answer))).toMatchObject({ status: 201, text: 'ab' })
  })

  // A bug: the stream was taken for one that Nest had stopped, and the handler ran again.
  test('gets what a handler with @Res() had piped', async () => {
    const again = await askedAgain(platform, pipingRoute())
    expect(again).toMatchObject({ status: 201, text: 'ab', replayed: true })
    expect(runs).toBe(1)
  })

  // A bug: the hang-up was hidden for as long as the response lasted, and the producer never ended.
  test('stops the events of a route that streams', async () => {
    const stopped = new Promise<void>((resolve) => {
      events = new Observable<MessageEvent>((subscriber) => {
        const timer = setInterval(() => subscriber.next({ data: 'tick' }), 5)
        return () => {
          clearInterval(timer)
          resolve()
        }
      })
    })
    const { url } = await upOn(platform, { imports: [inMemory()], controllers: [Ticking] })
    const client = begin(url)
    await once(client, 'data')
    client.destroy()
    await stopped
  })
})
