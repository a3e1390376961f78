import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/koa'
import Koa, { type Context } from 'koa'
import Koa2 from 'koa2'
import { describe, expect, test } from 'vitest'
import { served } from '../support/served.ts'

const answers: Readonly<Record<string, (ctx: Context) => void>> = {
  JSON(ctx) {
    ctx.status = 201
    ctx.body = { id: 1 }
  },
  'an empty 204'(ctx) {
    ctx.status = 204
  },
  'a redirect': (ctx) => ctx.redirect('/orders/1'),
  'ctx.throw(422)': (ctx) => ctx.throw(422, 'no such card'),
}

for (const [name, Application] of [['Koa 3', Koa] as const, ['Koa 2', Koa2] as const]) {
  describe(`${name}, whose client has hung up`, () => {
    for (const [answer, handler] of Object.entries(answers)) {
      test(`keeps ${answer} as for a client that waits`, async () => {
        const { post, runs } = await hungUp(Application, handler)
        const [waited, again] = [await post('/', { key: 'waits' }), await post('/')]
        expect(again).toMatchObject({ status: waited.status, text: waited.text, replayed: true })
        expect(runs()).toBe(2)
      })
    }

    // A bug: the writer went on for ever.
    test('is told to a writer in the background once its response streams', async () => {
      const app = new Application()
      const once = idempotency({
        store: memoryStore(),
        scope: 'dangerously-shared',
        response: 'stream',
      })
      let stopped = () => {}
      const isStopped = new Promise<void>((resolve) => {
        stopped = resolve
      })
      app.use(once).use(async (ctx) => {
        ctx.respond = false
        ctx.res.writeHead(200)
        void write(ctx).then(stopped)
      })
      const { url } = await served(app)
      const client = begin(url)
      await new Promise((resolve) => client.once('data', resolve))
      client.destroy()
      await isStopped
    })

    test('frees the key of a handler that fails', async () => {
      const { post, runs } = await hungUp(Application, (ctx) => {
        if (runs() === 1) throw new Error('the handler failed')
        ctx.body = 'done'
      })
      expect(await post('/')).toMatchObject({ status: 200, text: 'done', replayed: false })
    })
  })
}

/** An app whose first client had gone, to its knowledge, before the handler answered. */
async function hungUp(Application: typeof Koa, handler: (ctx: Context) => void) {
  const app = new Application()
  let ran = 0
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared', waitMs: 5_000 })
  app.use(once).use(async (ctx) => {
    ran += 1
    if (ran === 1) {
      client.destroy()
      await new Promise((resolve) => ctx.res.once('close', resolve))
    }
    handler(ctx)
  })
  const { post, url } = await served(app)
  const client = begin(url)
  await new Promise((resolve) => client.once('close', resolve))
  return { post, runs: () => ran }
}

/** Writes for as long as somebody may read. */
async function write(ctx: Context): Promise<void> {
  await turn()
  while (ctx.writable) {
    ctx.res.write('tick')
    await turn()
  }
}

/** The connection of a client that has sent its request. */
function begin(url: string): Socket {
  const { hostname, port } = new URL(url)
  const client = connect(Number(port), hostname)
  const body = '{"item":"violin"}'
  client.write(
    `POST / HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  return client
}
