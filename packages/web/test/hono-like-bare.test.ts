import { type Context, type Handler, Hono, type MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'
import { setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { HTTPException } from 'hono/http-exception'
import { logger } from 'hono/logger'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import { stream, streamText } from 'hono/streaming'
import { describe, expect, test } from 'vitest'
import { post, replayed, site } from './hono-app.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

const handlers: Record<string, Handler> = {
  'answers JSON': (c) => c.json({ id: 1 }, 201),
  'answers text, untouched by anything': (c) => c.text('paid'),
  'answers text with a header of its own': (c) => c.text('paid', 202, { 'x-order': '1' }),
  'answers HTML': (c) => c.html('<p>Zoë</p>'),
  'answers bytes': (c) => c.body(new Uint8Array([0, 255, 128, 10]), 200, { 'content-type': 'a/b' }),
  'answers a stream': (c) => c.body(ReadableStream.from(['a', 'b'].map(bytes)) as ReadableStream),
  'streams with the helper': (c) =>
    stream(c, async (out) => {
      for (const part of ['one ', 'two ', 'three']) await out.write(part)
    }),
  'streams text with the helper': (c) =>
    streamText(c, async (out) => {
      await out.writeln('one')
      await out.sleep(5)
      await out.write('two')
    }),
  redirects: (c) => c.redirect('/orders/1', 303),
  'answers nothing': (c) => c.body(null, 204),
  'answers a Response of its own': () =>
    new Response('own', { status: 418, headers: { 'x-order': '1' } }),
  'answers what fetch got, with headers that cannot be changed': () =>
    fetch('data:application/json,{"id":7}'),
  'sets and removes headers on the way': (c) => {
    c.status(201)
    c.header('x-order', '1')
    c.header('x-outside', undefined)
    c.header('link', '</1>')
    c.header('link', '</2>', { append: true })
    return c.json({ id: 1 })
  },
  'sets cookies': (c) => {
    setCookie(c, 'a', '1', { path: '/' })
    setCookie(c, 'b', '2', { expires: new Date(0) })
    return c.json({ id: 1 })
  },
  'is not found': (c) => c.notFound(),
  'throws an HTTPException': () => {
    throw new HTTPException(409, { message: 'sold out' })
  },
  'throws an HTTPException with a response': () => {
    throw new HTTPException(422, { res: Response.json({ sold: 'out' }, { status: 422 }) })
  },
  'throws what onError makes a 400 of': () => {
    throw new RangeError('too many')
  },
  'has a middleware that answers in its place': (c) => c.json({ never: 'seen' }),
}

const inTheWay: MiddlewareHandler = async (c, next) => {
  if (c.req.path.includes('in-its-place')) {
    c.res = c.text('stopped', 403)
    return
  }
  await next()
  c.header('x-after', '1')
}

function furnish(app: Hono, covered: MiddlewareHandler[]): Hono {
  app.onError((error, c) =>
    error instanceof HTTPException ? error.getResponse() : c.text(error.message, 400),
  )
  app.notFound((c) => c.json({ nothing: c.req.path }, 404))
  app.use(cors({ origin: 'https://shop.example', credentials: true }), requestId(), secureHeaders())
  app.use(async (c, next) => {
    c.header('x-outside', 'outside')
    setCookie(c, 'outside', '1')
    await next()
  })
  app.use(...covered, inTheWay)
  for (const [name, handler] of Object.entries(handlers)) app.post(pathOf(name), handler)
  return app
}

const pathOf = (name: string) => `/${name.replaceAll(/\W+/g, '-')}`

async function seen(response: Response) {
  const headers = Object.fromEntries(response.headers)
  const cookies = response.headers.getSetCookie()
  const body = Buffer.from(await response.arrayBuffer()).toString('latin1')
  return { status: response.status, headers: { ...headers, 'set-cookie': cookies }, body }
}

describe('a first response equals that of bare Hono, and a replay repeats it', () => {
  const names = [...Object.keys(handlers), 'has no route']
  test.each(names)('a handler that %s', async (name) => {
    const { app, once } = site()
    const bare = furnish(new Hono(), [])
    furnish(app, [once])
    const asked = {
      path: pathOf(name),
      headers: { origin: 'https://shop.example', 'x-request-id': 'r1' },
    }
    const expected = await seen(await post(bare, 'k', asked))
    // The streaming helper's output is buffered, so the response has a length.
    delete (expected.headers as Record<string, unknown>)['transfer-encoding']
    expect(await seen(await post(app, 'k', asked))).toEqual(expected)

    const again = await post(app, 'k', asked)
    expect(replayed(again)).toBe(true)
    const { headers, ...rest } = await seen(again)
    expect({ ...rest, headers }).toEqual({
      ...expected,
      headers: {
        ...(expected.headers as object),
        'set-cookie': ['outside=1; Path=/'],
        'x-idempotency-replayed': 'true',
      },
    })
  })
})

describe('beside the middleware of Hono', () => {
  const body = { lines: Array.from({ length: 200 }, (_, line) => ({ line, sku: 'violin' })) }
  const gzip = { headers: { 'accept-encoding': 'gzip' } }

  async function unzipped(response: Response): Promise<unknown> {
    expect(response.headers.get('content-encoding')).toBe('gzip')
    const plain = response.body?.pipeThrough(new DecompressionStream('gzip'))
    return new Response(plain).json()
  }

  test('compress outside gives every client a coding that it accepts', async () => {
    const { app, once } = site()
    app.use(compress())
    app.post('/orders', once, (c) => c.json(body))
    expect(await unzipped(await post(app, 'k', gzip))).toEqual(body)
    const plain = await post(app, 'k')
    expect([replayed(plain), plain.headers.get('content-encoding')]).toEqual([true, null])
    expect(await plain.json()).toEqual(body)
    expect(await unzipped(await post(app, 'k', gzip))).toEqual(body)
  })

  test('compress inside has its output stored, and decoded for clients that do not accept the coding', async () => {
    const { app, once } = site()
    app.post('/orders', once, compress(), (c) => c.json(body))
    expect(await unzipped(await post(app, 'k', gzip))).toEqual(body)
    const repeated = await post(app, 'k', gzip)
    expect(replayed(repeated)).toBe(true)
    expect(await unzipped(repeated)).toEqual(body)
    const again = await post(app, 'k', { headers: { 'accept-encoding': 'identity' } })
    expect([replayed(again), again.headers.get('content-encoding')]).toEqual([true, null])
    expect(again.headers.get('vary')).toBe('Accept-Encoding')
    expect(await again.json()).toEqual(body)
  })

  test('compress inside makes maxResponseBytes apply to the compressed size', async () => {
    const { app, once, store } = site({ maxResponseBytes: 100 })
    app.post('/orders', once, compress(), async (c) => {
      const tx = await c.var.idempotency.transaction()
      tx.set('order', 1)
      return c.json(body)
    })
    const answer = await post(app, 'k', gzip)
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([500, null])
    expect(await answer.json()).toMatchObject({ code: 'response-too-large' })
    expect(store.data.size).toBe(0)
  })

  const others = {
    cors: cors({ origin: 'https://shop.example' }),
    secureHeaders: secureHeaders(),
    etag: etag(),
    logger: logger(() => {}),
    requestId: requestId(),
  }
  for (const [name, other] of Object.entries(others)) {
    test.each(['outside', 'inside'])(`${name} %s`, async (where) => {
      const { app, once } = site()
      app.use(...(where === 'outside' ? [other, once] : [once, other]))
      let runs = 0
      app.post('/orders', (c) => c.json({ runs: ++runs }, 201))
      const sent = { headers: { origin: 'https://shop.example', 'if-none-match': '*' } }
      const answers = [await post(app, 'k', sent), await post(app, 'k', sent)]
      expect(answers.map(({ status }) => status)).toEqual([201, 201])
      expect(answers.map(replayed)).toEqual([false, true])
      expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([
        { runs: 1 },
        { runs: 1 },
      ])
    })
  }

  test('headers of one exchange are set anew on a replay if set outside, and omitted if set inside', async () => {
    const { app, once } = site()
    app.post('/outside', requestId(), cors(), once, (c) => c.text('done'))
    app.post('/inside', once, requestId(), cors(), (c) => c.text('done'))
    for (const path of ['/outside', '/inside']) {
      await post(app, path, { path, headers: { 'x-request-id': 'first' } })
      const again = await post(app, path, { path, headers: { 'x-request-id': 'second' } })
      const outside = path === '/outside'
      expect(again.headers.get('x-request-id')).toBe(outside ? 'second' : null)
      expect(again.headers.get('access-control-allow-origin')).toBe(outside ? '*' : null)
    }
  })

  test('a header from outside that the handler changed is replayed as changed', async () => {
    const { app, once } = site()
    app.use(async (c, next) => {
      c.header('x-order', 'none')
      await next()
    })
    app.post('/orders', once, (c: Context) => c.text('done', 200, { 'x-order': 'one' }))
    for (const _ of [1, 2]) expect((await post(app, 'k')).headers.get('x-order')).toBe('one')
  })
})
