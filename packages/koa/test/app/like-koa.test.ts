import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { Router } from '@koa/router'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/koa'
import Koa, { type Context, type Next } from 'koa'
import bodyParser from 'koa-bodyparser'
import compress from 'koa-compress'
import mount from 'koa-mount'
import { expect, test } from 'vitest'
import { served } from '../support/served.ts'

const make = () => idempotency({ store: memoryStore(), scope: 'dangerously-shared' })

/** Counts the runs of a handler. */
function counted(handler: (ctx: Context) => unknown) {
  const ran = { times: 0 }
  return Object.assign(ran, {
    async handler(ctx: Context, _next?: Next) {
      ran.times++
      await handler(ctx)
    },
  })
}

test('a route of @koa/router behind koa-bodyparser runs once, and gets its body', async () => {
  const order = counted((ctx) => {
    ctx.status = 201
    ctx.body = { item: (ctx.request as { body?: { item: string } }).body?.item, id: order.times }
  })
  const router = new Router({ prefix: '/shop' })
  router.post('/orders/:id', order.handler)
  const app = new Koa().use(make()).use(bodyParser()).use(router.routes())
  const { post } = await served(app)
  const first = await post('/shop/orders/7')
  expect(first).toMatchObject({
    status: 201,
    replayed: false,
    text: '{"item":"violin","id":1}',
  })
  expect(await post('/shop/orders/7')).toMatchObject({ replayed: true, text: first.text })
  expect(await post('/shop/orders/8')).toMatchObject({ status: 422 })
  expect(order.times).toBe(1)
})

test('an empty body that came in chunks is left for koa-bodyparser', async () => {
  const app = new Koa().use(make()).use(bodyParser())
  app.use((ctx) => {
    ctx.body = (ctx.request as { body?: unknown }).body
  })
  const { url } = await served(app)
  const { hostname, port } = new URL(url)
  const client = connect(Number(port), hostname).setEncoding('utf8')
  client.write(
    'POST / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nIdempotency-Key: k\r\n' +
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  )
  let answer = ''
  for await (const text of client) answer += text
  expect([answer.slice(0, 15), answer.slice(-6)]).toEqual(['HTTP/1.1 200 OK', '\r\n\r\n{}'])
})

test('a parser mounted before keeps integers over 2^53 apart', async () => {
  const app = new Koa().use(bodyParser()).use(make())
  app.use((ctx) => {
    ctx.body = 'taken'
  })
  const { post } = await served(app)
  await post('/', { body: '{"id":9007199254740993}' })
  expect(await post('/', { body: '{"id":9007199254740993}' })).toMatchObject({ replayed: true })
  expect(await post('/', { body: '{"id":9007199254740992}' })).toMatchObject({ status: 422 })
})

test('what is written past Koa, with ctx.respond = false, is held back and replayed', async () => {
  const raw = counted((ctx) => {
    ctx.respond = false
    ctx.res.writeHead(202, { 'x-own': 'yes' })
    ctx.res.write('pa')
    ctx.res.end('rt')
  })
  const { post } = await served(new Koa().use(make()).use(raw.handler))
  const first = await post('/')
  const again = await post('/')
  expect([first.status, first.text, first.headers.get('x-own')]).toEqual([202, 'part', 'yes'])
  expect([again.status, again.text, again.headers.get('x-own')]).toEqual([202, 'part', 'yes'])
  expect([again.replayed, raw.times]).toEqual([true, 1])
})

test('a 404 because nothing answered is not kept: the route may be there by the next deploy', async () => {
  let isThere = false
  const app = new Koa().use(make()).use((ctx) => {
    if (isThere) ctx.body = 'here'
  })
  const { post } = await served(app)
  expect(await post('/')).toMatchObject({ status: 404, text: 'Not Found' })
  isThere = true
  expect(await post('/')).toMatchObject({ status: 200, replayed: false, text: 'here' })
})

test('a 404 that a handler says is its answer', async () => {
  const none = counted((ctx) => {
    ctx.status = 404
  })
  const { post } = await served(new Koa().use(make()).use(none.handler))
  expect(await post('/')).toMatchObject({ status: 404, replayed: false })
  expect(await post('/')).toMatchObject({ status: 404, replayed: true })
  expect(none.times).toBe(1)
})

test('an answer that is thrown is kept by its status: ctx.throw(409) is, an error is not', async () => {
  const refuse = counted((ctx) => ctx.throw(409, 'sold out'))
  const refusing = await served(new Koa().use(make()).use(refuse.handler))
  expect(await refusing.post('/')).toMatchObject({ status: 409, text: 'sold out' })
  expect(await refusing.post('/')).toMatchObject({ status: 409, text: 'sold out', replayed: true })
  expect(refuse.times).toBe(1)

  const fail = counted(() => {
    throw new Error('a bug')
  })
  const failing = await served(new Koa().use(make()).use(fail.handler))
  expect(await failing.post('/')).toMatchObject({ status: 500, replayed: false })
  expect(await failing.post('/')).toMatchObject({ status: 500, replayed: false })
  expect(fail.times).toBe(2)
})

test('what middleware outside makes of a response is part of it', async () => {
  const order = counted((ctx) => ctx.throw(422, 'no such item'))
  const app = new Koa().use(compress({ threshold: 0 }))
  app.use(async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      ctx.status = (error as { status: number }).status
      ctx.body = { error: (error as Error).message }
    }
    ctx.set('X-After', 'yes')
  })
  const { post } = await served(app.use(make()).use(order.handler))
  const first = await post('/', { headers: { 'accept-encoding': 'gzip' } })
  const again = await post('/', { headers: { 'accept-encoding': 'gzip' } })
  for (const { status, text, headers } of [first, again]) {
    expect([status, text]).toEqual([422, '{"error":"no such item"}'])
    expect([headers.get('x-after'), headers.get('content-encoding')]).toEqual(['yes', 'gzip'])
  }
  expect([again.replayed, order.times]).toEqual([true, 1])
})

test('a stream is sent whole or not at all', async () => {
  const broken = counted((ctx) => {
    ctx.body = Readable.from(
      (async function* () {
        yield 'half'
        throw new Error('the disk is gone')
      })(),
    )
  })
  const { post } = await served(new Koa().use(make()).use(broken.handler))
  const attempts = await Promise.allSettled([post('/')])
  expect(attempts[0]).not.toMatchObject({ value: { status: 200 } })
  await Promise.allSettled([post('/')])
  expect(broken.times).toBe(2)
})

test('an app that is mounted has its own scope of paths: the URL as sent counts', async () => {
  const inner = counted((ctx) => {
    ctx.body = ctx.path
  })
  const app = new Koa().use(make())
  app.use(mount('/one', new Koa().use(inner.handler)))
  app.use(mount('/two', new Koa().use(inner.handler)))
  const { post } = await served(app)
  expect(await post('/one/orders')).toMatchObject({ status: 200, text: '/orders' })
  expect(await post('/two/orders')).toMatchObject({ status: 422 })
})

test('mounting twice and asking where nothing is mounted are errors that say so', async () => {
  const seen: unknown[] = []
  const once = make()
  const app = new Koa().use(async (ctx, next) => {
    await next().catch((error) => {
      seen.push(error.code)
      ctx.status = 500
    })
  })
  app.use((ctx, next) => {
    if (ctx.path === '/bare') once.of(ctx)
    return next()
  })
  const { post } = await served(app.use(once).use(make()))
  await post('/')
  await post('/bare')
  expect(seen).toEqual(['mounted-twice', 'not-covered'])
})
