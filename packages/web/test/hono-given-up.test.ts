import type { Context } from 'hono'
import { compress } from 'hono/compress'
import { setCookie } from 'hono/cookie'
import { HTTPException } from 'hono/http-exception'
import { streamSSE } from 'hono/streaming'
import { describe, expect, test } from 'vitest'
import { post, site } from './hono-app.ts'

/** Lets one side of a test notify the other. */
function signal(): { readonly given: Promise<void>; give(): void } {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give: () => give() }
}

test("response: 'stream' sends an event before the next one is produced", async () => {
  const { app, once } = site({ response: 'stream' })
  let go = (): void => {}
  const second = new Promise<void>((resolve) => {
    go = resolve
  })
  app.post('/orders', once, (c) =>
    streamSSE(c, async (out) => {
      await out.writeSSE({ data: 'one' })
      await second
      await out.writeSSE({ data: 'two' })
    }),
  )
  const answer = await post(app, 'k')
  const reader = answer.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
  const text = async () => new TextDecoder().decode((await reader.read()).value)
  expect(await text()).toBe('data: one\n\n')
  go()
  expect(await text()).toBe('data: two\n\n')
  expect((await reader.read()).done).toBe(true)
  const again = await post(app, 'k')
  expect([again.status, await again.json()]).toMatchObject([410, { code: 'result-gone' }])
})

describe('a handler that was given up cannot change the answer by', () => {
  const login = (c: Context) =>
    c.json({ token: 'SECRET' }, 200, { 'set-cookie': 'session=SECRET', 'x-login': '1' })
  const ways: Record<string, (c: Context, kept: Context['header']) => void | Promise<void>> = {
    'c.res': (c) => {
      c.res = login(c)
    },
    'c.res, after it took away the one that was there': (c) => {
      c.res = undefined
      c.res = login(c)
    },
    'the headers of c.res': (c) => {
      c.res.headers.append('set-cookie', 'session=SECRET')
      c.res.headers.set('set-cookie', 'session=SECRET')
    },
    'a copy of c.res with a cookie': (c) => {
      c.res = new Response(c.res.body, { headers: { 'set-cookie': 'session=SECRET' }, status: 503 })
    },
    'a c.header that it kept': (_, header) => header('set-cookie', 'session=SECRET'),
    'a redirect': (c) => {
      c.res = c.redirect('/in', 302)
      c.header('Set-Cookie', 'session=SECRET')
    },
    'an error that onError answers': () => {
      throw new Error('late')
    },
    'an HTTPException with a response': (c) => {
      throw new HTTPException(401, { res: login(c) })
    },
  }

  test.each(Object.keys(ways))('%s', async (way) => {
    const { app, once } = site({ handlerTimeoutMs: 30 })
    const late = signal()
    const done = signal()
    app.use(async (c, next) => {
      c.header('set-cookie', 'theme=dark')
      await next()
      late.give()
      await done.given
      // Outer middleware does this with any response.
      c.res = new Response(c.res.body, c.res)
      c.header('x-after', '1')
    })
    app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : login(c)))
    // Runs where Hono has already handled what the handler threw.
    app.post('/orders', once, async (_, next) => {
      try {
        await next()
      } finally {
        done.give()
      }
    })
    app.post('/orders', async (c) => {
      const { header } = c
      await late.given
      await ways[way]?.(c, header)
      return login(c)
    })
    const answer = await post(app, 'k')
    expect(answer.status).toBe(503)
    expect(answer.headers.getSetCookie()).toEqual(['theme=dark'])
    expect(answer.headers.get('x-login')).toBe(null)
    expect(answer.headers.get('x-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'handler-timeout' })
  })
})

test('middleware outside can still transform the 503 for a handler that was given up', async () => {
  const { app, once } = site({ handlerTimeoutMs: 30 })
  app.use(async (c, next) => {
    await next()
    const { code } = (await c.res.json()) as { code: string }
    c.res = c.json({ envelope: code }, 504)
  })
  app.use(compress({ threshold: 0 }))
  app.post('/orders', once, () => new Promise<Response>(() => {}))
  const answer = await post(app, 'k')
  expect(answer.status).toBe(504)
  expect(await answer.json()).toEqual({ envelope: 'handler-timeout' })
})

test('a login handler that was given up sets no cookie on the answer, however slowly that is sent', async () => {
  const { app, once } = site({ handlerTimeoutMs: 30 })
  let late = () => {}
  const isLate = new Promise<void>((resolve) => {
    late = resolve
  })
  let done = () => {}
  const isDone = new Promise<void>((resolve) => {
    done = resolve
  })
  app.use(async (c, next) => {
    c.header('set-cookie', 'theme=dark')
    await next()
    late()
    await isDone
    c.header('x-after', '1')
  })
  app.post('/orders', once, async (c) => {
    await isLate
    c.header('set-cookie', 'session=SECRET', { append: true })
    setCookie(c, 'session', 'SECRET')
    done()
    return c.json({ ok: true })
  })
  const answer = await post(app, 'k')
  expect(answer.status).toBe(503)
  expect(answer.headers.getSetCookie()).toEqual(['theme=dark'])
  expect(answer.headers.get('x-after')).toBe('1')
})
