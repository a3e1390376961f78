import { once as emitted } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import { type MemoryTransaction, memoryStore } from '@oncekey/core'
import { type IdempotencyOptions, idempotency } from '@oncekey/web/hono'
import { type Context, type Env, Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import type { NodeServer } from './versions.ts'

type NodeContext = Pick<Context<{ Bindings: HttpBindings }>, 'env' | 'json'>

/** What is promised to a handler that writes to Node's response, on each version of the server. */
export function describeRawResponses({ serve, RESPONSE_ALREADY_SENT }: NodeServer): void {
  const closing: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  /** A Hono app on Node's server whose handler writes to Node's response directly. */
  async function site(
    handler: (
      c: NodeContext,
      run: number,
      before: HttpBindings['outgoing'],
    ) => Response | Promise<Response>,
    options: Partial<IdempotencyOptions<MemoryTransaction, Env>> & {
      mode?: 'transaction' | 'lease'
    } = {},
  ) {
    const { mode = 'transaction', ...others } = options
    const store = memoryStore({ mode })
    const once = idempotency({ store, scope: 'dangerously-shared', ...others })
    const app = new Hono<{ Bindings: HttpBindings }>()
    const runs = { count: 0 }
    /** Node's response as a middleware outside sees it. */
    const before: Partial<Pick<HttpBindings, 'outgoing'>> = {}
    app.use(async (c, next) => {
      c.header('x-outside', 'outside')
      before.outgoing = c.env.outgoing
      await next()
    })
    app.post('/', once, async (c) => {
      runs.count += 1
      if (others.response !== 'stream') (await once.of(c).transaction()).set('order', runs.count)
      return await handler(c, runs.count, before.outgoing as HttpBindings['outgoing'])
    })
    app.onError((error, c) => c.json({ error: error.message }, 500))
    const server = serve(app)
    server.listen(0, '127.0.0.1')
    await emitted(server, 'listening')
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const ask = async (key = 'k') => {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'idempotency-key': key, connection: 'close' },
        body: '{}',
        redirect: 'manual',
      })
      return {
        status: answer.status,
        type: answer.headers.get('content-type'),
        body: await answer.text(),
        replayed: answer.headers.get('x-idempotency-replayed'),
      }
    }
    return { ask, runs, store }
  }

  describe('the content type', () => {
    // @hono/node-server adds text/plain to a Response without a type, such as the replay of a raw
    // response.
    test.each(['', 'some bytes'])(
      'is missing from a replay if it was missing from the raw response: %j',
      async (body) => {
        const { ask } = await site((c) => {
          c.env.outgoing.writeHead(201).end(body)
          return RESPONSE_ALREADY_SENT
        })
        expect(await ask()).toMatchObject({ status: 201, type: null, body, replayed: null })
        expect(await ask()).toMatchObject({ status: 201, type: null, body, replayed: 'true' })
      },
    )

    test('that the server adds to a Response is on its replay, too', async () => {
      for (const body of [new Uint8Array([65]), new Uint8Array(0)]) {
        const { ask } = await site(() => new Response(body, { status: 201 }))
        const first = await ask()
        expect(first).toMatchObject({ status: 201, type: 'text/plain; charset=UTF-8' })
        expect(await ask()).toEqual({ ...first, replayed: 'true' })
      }
    })

    // Version 1 of the server adds a type to such a Response, version 2 does not.
    test('is missing from a Response without a body, and from its replay', async () => {
      for (const answer of [
        () => new Response(null, { status: 201 }),
        () => Response.redirect('http://localhost/orders/1', 303),
      ]) {
        const { ask } = await site(answer)
        const first = await ask()
        expect(first).toMatchObject({ type: null, body: '' })
        expect(await ask()).toEqual({ ...first, replayed: 'true' })
      }
    })
  })

  describe('a handler that writes to the Node response', () => {
    const handlers: Record<string, (c: NodeContext, run: number) => Response | Promise<Response>> =
      {
        'in one go': (c, run) => {
          c.env.outgoing.writeHead(201, { 'content-type': 'application/json' }).end(`{"id":${run}}`)
          return RESPONSE_ALREADY_SENT
        },
        'in one go, after it has returned': (c, run) => {
          const { outgoing } = c.env
          setImmediate(() => {
            outgoing.writeHead(201, { 'content-type': 'application/json' }).end(`{"id":${run}}`)
          })
          return RESPONSE_ALREADY_SENT
        },
        'in pieces, after it has returned': (c, run) => {
          const { outgoing } = c.env
          outgoing.writeHead(201, { 'content-type': 'application/json' })
          setImmediate(() => {
            outgoing.write('{"id":')
            setImmediate(() => outgoing.end(`${run}}`))
          })
          return RESPONSE_ALREADY_SENT
        },
        'through methods that it took off it': (c, run) => {
          const { outgoing } = c.env
          const { end } = outgoing
          outgoing.statusCode = 201
          outgoing.setHeader('content-type', 'application/json')
          Reflect.apply(end, outgoing, [`{"id":${run}}`])
          return RESPONSE_ALREADY_SENT
        },
      }

    test.each(Object.entries(handlers))(
      '%s runs once: every retry gets the same status, type and bytes, and its writes are kept',
      async (_, handler) => {
        for (const mode of ['transaction', 'lease'] as const) {
          const { ask, runs, store } = await site(handler, { mode })
          const first = { status: 201, type: 'application/json', body: '{"id":1}' }
          expect(await ask()).toEqual({ ...first, replayed: null })
          expect(await ask()).toEqual({ ...first, replayed: 'true' })
          expect(runs.count).toBe(1)
          expect(store.data.get('order')).toBe(1)
        }
      },
    )

    test('and fails is undone, and the key is free', async () => {
      const { ask, runs, store } = await site((c) => {
        c.env.outgoing.writeHead(500).end('failed')
        return RESPONSE_ALREADY_SENT
      })
      for (const run of [1, 2]) {
        expect(await ask()).toMatchObject({ status: 500, body: 'failed', replayed: null })
        expect(runs.count).toBe(run)
      }
      expect(store.data.size).toBe(0)
    })

    test('and then throws has nothing sent and everything undone', async () => {
      const { ask, runs, store } = await site((c) => {
        c.env.outgoing.writeHead(201, { 'content-type': 'application/json' })
        c.env.outgoing.write('{"id":')
        throw new Error('broken')
      })
      for (const run of [1, 2]) {
        await expect(ask()).rejects.toThrow('fetch failed')
        expect(runs.count).toBe(run)
      }
      expect(store.data.size).toBe(0)
    })

    test('past its timeout is replaced by a 503, and later writes are ignored', async () => {
      const { ask, store } = await site(
        (c) => {
          c.env.outgoing.writeHead(201, { 'content-type': 'text/plain' })
          c.env.outgoing.write('half of it')
          return RESPONSE_ALREADY_SENT
        },
        { handlerTimeoutMs: 50 },
      )
      const answer = await ask()
      expect(answer).toMatchObject({ status: 503, type: 'application/problem+json' })
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'handler-timeout' })
      expect(store.data.size).toBe(0)
    })

    test('never, although it promised to, is replaced by a 503 and undone', async () => {
      const { ask, runs, store } = await site(() => RESPONSE_ALREADY_SENT, { handlerTimeoutMs: 50 })
      for (const run of [1, 2]) {
        expect(await ask()).toMatchObject({ status: 503, type: 'application/problem+json' })
        expect(runs.count).toBe(run)
      }
      expect(store.data.size).toBe(0)
    })

    test('that it saved, after returning, is still held back and replayed', async () => {
      const { ask, runs } = await site((_, run, before) => {
        setImmediate(() => before.writeHead(201, { 'content-type': 'text/x-id' }).end(String(run)))
        return RESPONSE_ALREADY_SENT
      })
      const first = { status: 201, type: 'text/x-id', body: '1' }
      expect(await ask()).toEqual({ ...first, replayed: null })
      expect(await ask()).toEqual({ ...first, replayed: 'true' })
      expect(runs.count).toBe(1)
    })

    test('that it saved, before that is held, is not stored, and no retry is left waiting', async () => {
      const { ask, runs, store } = await site((_, run, before) => {
        before.writeHead(201, { 'content-type': 'text/x-id' }).end(String(run))
        return RESPONSE_ALREADY_SENT
      })
      for (const run of [1, 2]) {
        expect(await ask()).toMatchObject({ status: 201, body: String(run), replayed: null })
        expect(runs.count).toBe(run)
      }
      expect(store.data.size).toBe(0)
    })

    test('on a streaming route is passed through as written, and gone on a retry', async () => {
      const { ask, runs } = await site(
        (c) => {
          c.env.outgoing.writeHead(200, { 'content-type': 'text/event-stream' })
          c.env.outgoing.write('data: 1\n\n')
          setImmediate(() => c.env.outgoing.end('data: 2\n\n'))
          return RESPONSE_ALREADY_SENT
        },
        { response: 'stream', mode: 'lease' },
      )
      expect(await ask()).toMatchObject({ status: 200, body: 'data: 1\n\ndata: 2\n\n' })
      expect(await ask()).toMatchObject({ status: 410 })
      expect(runs.count).toBe(1)
    })
  })

  test('a handler that reads the Node response but returns a Response is unaffected', async () => {
    const { ask, runs } = await site((c, run) => {
      expect(c.env.outgoing.headersSent).toBe(false)
      return c.json({ id: run }, 201)
    })
    const first = { status: 201, type: 'application/json', body: '{"id":1}' }
    expect(await ask()).toEqual({ ...first, replayed: null })
    expect(await ask()).toEqual({ ...first, replayed: 'true' })
    expect(runs.count).toBe(1)
  })
}
