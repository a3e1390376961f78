import { memoryStore } from '@oncekey/core'
import { type IdempotencyOptions, idempotency, keepRawBody } from '@oncekey/express'
import type { ErrorRequestHandler, Request, RequestHandler } from 'express'
import { describe, expect, test } from 'vitest'
import { connectTo, header, post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const codeOf: ErrorRequestHandler = (error, _, res, __) =>
  void res.status(500).json({ code: error.code, message: error.message })

const multipart = (boundary: string, amount: number) =>
  `--${boundary}\r\nContent-Disposition: form-data; name="amount"\r\n\r\n${amount}\r\n--${boundary}--\r\n`

for (const [version, express] of expressVersions) {
  const serve = (
    parsers: readonly RequestHandler[],
    options: Partial<IdempotencyOptions<unknown, Request>> = {},
  ) => {
    const app = quietApp(express)
    const store = memoryStore()
    for (const parser of parsers) app.use(parser)
    app.use(idempotency({ store, scope: 'dangerously-shared', ...options } as never))
    app.post('/', (_, res) => void res.json({ ok: true }))
    app.use(codeOf)
    return served(app)
  }
  const send = async (port: number, type: string, body: string) => {
    const answer = await post(port, '/', { 'Idempotency-Key': 'k', 'Content-Type': type }, body)
    return answer.status === 200 ? 200 : JSON.parse(String(answer.body)).code
  }
  const tellsApart = async (
    parsers: readonly RequestHandler[],
    type: string,
    first: string,
    other: string,
    options?: Partial<IdempotencyOptions<unknown, Request>>,
  ) => {
    const port = await serve(parsers, options)
    expect(await send(port, type, first)).toBe(200)
    expect(await send(port, type, first)).toBe(200)
    expect(await send(port, type, other)).toBe('key-reused')
    expect(await send(port, type, first)).toBe(200)
  }
  const unseen = { code: 'body-unseen', message: expect.stringMatching(/Mount express\.json\(\)/) }

  describe(`${version}: distinguishes requests by their bodies`, () => {
    const json = 'application/json'
    const form = 'application/x-www-form-urlencoded'

    test('json', () => tellsApart([express.json()], json, '{"amount":1}', '{"amount":2}'))
    test('json, empty or not', () => tellsApart([express.json()], json, '{}', '{"a":1}'))
    test('json lists', () => tellsApart([express.json()], json, '[]', '[0]'))
    test('json that is not an object', () =>
      tellsApart([express.json({ strict: false })], json, '1', '2'))
    test('urlencoded', () =>
      tellsApart([express.urlencoded({ extended: true })], form, 'a=1', 'a=2'))
    test('urlencoded, simple', () =>
      tellsApart([express.urlencoded({ extended: false })], form, 'a=1&a=2', 'a=12'))
    test('text', () => tellsApart([express.text()], 'text/plain', 'one', 'two'))
    test('raw', () => tellsApart([express.raw()], 'application/octet-stream', 'one', 'two'))
    test('any type, raw', () =>
      tellsApart([express.raw({ type: '*/*' })], 'image/png', 'one', 'two'))
    test('several parsers, one of which parses', () =>
      tellsApart(
        [express.json(), express.urlencoded({ extended: true }), express.text()],
        'text/plain',
        'a',
        'b',
      ))
    test('integers over 2^53, with keepRawBody', () =>
      tellsApart(
        [express.json({ verify: keepRawBody })],
        json,
        '{"id":9007199254740992}',
        '{"id":9007199254740993}',
      ))
    test('by the result of a custom fingerprint', () =>
      tellsApart([express.json()], json, '{"amount":1}', '{"amount":2}', {
        fingerprint: ({ body }) => body.amount,
      }))

    test('reads signatures and keys from the received bytes even with a custom fingerprint', async () => {
      const signed: string[] = []
      const port = await serve([express.json({ verify: keepRawBody })], {
        fingerprint: () => 'the order',
        key: async (_, raw) => JSON.parse(Buffer.from(await raw()).toString()).id,
        authenticate: (_, bytes) => void signed.push(Buffer.from(bytes).toString()),
      })
      for (const body of ['{"id":"o-1"}', '{"id":"o-1","at":2}']) {
        expect(await send(port, 'application/json', body)).toBe(200)
        expect(signed.pop()).toBe(body)
      }
    })
    test('ignores the order of keys', async () => {
      for (const parser of [express.json(), express.json({ verify: keepRawBody })]) {
        const port = await serve([parser])
        expect(await send(port, json, '{"a":1,"b":[1,2]}')).toBe(200)
        expect(await send(port, json, '{ "b": [1, 2], "a": 1 }')).toBe(200)
        expect(await send(port, json, '{"a":1,"b":[2,1]}')).toBe('key-reused')
      }
    })

    test('ignores what a custom fingerprint omits', async () => {
      const port = await serve([express.json()], { fingerprint: ({ body }) => body.amount })
      expect(await send(port, json, '{"amount":1,"sentAt":1}')).toBe(200)
      expect(await send(port, json, '{"amount":1,"sentAt":2}')).toBe(200)
    })

    test('uses the body as received, even if a later handler changes it', async () => {
      const app = quietApp(express)
      app.use(express.json(), idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
      app.post('/', (req, res) => {
        req.body.id = Math.random()
        res.json(req.body)
      })
      const port = await served(app)
      expect(await send(port, json, '{"amount":1}')).toBe(200)
      expect(await send(port, json, '{"amount":1}')).toBe(200)
    })

    test('no body at all', async () => {
      const port = await serve([express.json()])
      const ask = () => post(port, '/', { 'Idempotency-Key': 'k' }, '')
      expect((await ask()).status).toBe(200)
      expect((await ask()).status).toBe(200)
      expect(await send(port, json, '{"a":1}')).toBe('key-reused')
    })

    test.each([
      ['chunked', [express.json()], undefined],
      ['chunked, no parser', [], undefined],
      ['a length of 0 that an adapter of a serverless host makes a number', [], 0],
    ])('treats a body that is announced but empty as none: %s', async (_, parsers, length) => {
      const numeric: RequestHandler = (req, _, next) => {
        if (length !== undefined) Reflect.set(req.headers, 'content-length', length)
        next()
      }
      const port = await serve([numeric, ...parsers])
      for (const replayed of [undefined, 'true']) {
        const connection = await connectTo(port)
        connection.write(
          `POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n${length === undefined ? 'Transfer-Encoding: chunked\r\n\r\n0\r\n' : 'Content-Length: 0\r\n'}\r\n`,
        )
        const answer = await connection.response()
        expect([answer.status, header(answer, 'x-idempotency-replayed')]).toEqual([200, replayed])
      }
    })
  })

  describe(`${version}: bodies that cannot be read`, () => {
    const ask = async (port: number, type: string, body: string) => {
      const answer = await post(port, '/', { 'Idempotency-Key': 'k', 'Content-Type': type }, body)
      return JSON.parse(String(answer.body))
    }

    test('without a parser cause an error that says what to write', async () => {
      expect(await ask(await serve([]), 'application/json', '{"a":1}')).toEqual(unseen)
    })

    test('with a parser for another type', async () => {
      const port = await serve([express.json(), express.urlencoded({ extended: true })])
      const { status, body } = await post(
        port,
        '/',
        { 'Idempotency-Key': 'k', 'Content-Type': 'text/plain; charset=utf-8' },
        'a=1',
      )
      expect(status).toBe(415)
      expect(JSON.parse(String(body))).toMatchObject({
        code: 'body-unsupported',
        retry: 'never',
        detail: expect.stringContaining('text/plain'),
      })
    })

    test('with a parser mounted behind', async () => {
      const app = quietApp(express)
      app.use(idempotency({ store: memoryStore(), scope: 'dangerously-shared' }), express.json())
      app.post('/', (_, res) => void res.json({}))
      app.use(codeOf)
      expect(await ask(await served(app), 'application/json', '{"a":1}')).toEqual(unseen)
    })

    test('with a parser for another type and something else that read the body', async () => {
      const reader: RequestHandler = (req, _, next) => void req.resume().once('end', next)
      const port = await serve([express.json(), reader])
      expect(await ask(port, 'image/png', 'one')).toEqual(unseen)
    })

    test('chunked, without a parser', async () => {
      const port = await serve([])
      const answer = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'POST',
        headers: { 'Idempotency-Key': 'k' },
        body: new ReadableStream({
          start(stream) {
            stream.enqueue(new TextEncoder().encode('a'))
            stream.close()
          },
        }),
        duplex: 'half',
      } as RequestInit)
      expect(await answer.json()).toEqual(unseen)
    })

    test('of type multipart require a custom fingerprint, which then decides', async () => {
      const type = (boundary: string) => `multipart/form-data; boundary=${boundary}`
      const port = await serve([])
      expect(await ask(port, type('a'), multipart('a', 1))).toMatchObject({
        code: expect.stringMatching(/fingerprint-required|body-unseen/),
        message: expect.stringContaining('fingerprint: (req) =>'),
      })

      // Like multer: fields in req.body, files separate.
      const fields: RequestHandler = (req, _, next) => {
        const chunks: Buffer[] = []
        req.on('data', (chunk) => chunks.push(chunk))
        req.on('end', () => {
          req.body = { amount: /\r\n\r\n(\d+)/.exec(String(Buffer.concat(chunks)))?.[1] }
          next()
        })
      }
      const unsaid = await serve([fields])
      expect(await ask(unsaid, type('a'), multipart('a', 1))).toMatchObject({
        code: 'fingerprint-required',
        message: expect.stringContaining('fingerprint: (req) =>'),
      })
      const said = await serve([fields], { fingerprint: ({ body }) => body })
      expect(await send(said, type('a'), multipart('a', 1))).toBe(200)
      expect(await send(said, type('b'), multipart('b', 1))).toBe(200)
      expect(await send(said, type('c'), multipart('c', 2))).toBe('key-reused')
    })

    test('are refused where a custom fingerprint looks for a form that nobody has parsed', async () => {
      // Two uploads were the same request: `req.body` was undefined or empty for both.
      const type = (boundary: string) => `multipart/form-data; boundary=${boundary}`
      for (const fingerprint of [
        (req: Request) => ({ account: 7, fields: req.body }),
        async (req: Request) => ({ title: req.body?.title }),
        (req: Request) => [req.body ?? {}],
      ]) {
        const port = await serve([express.json()], { fingerprint })
        const upload = multipart('a', 1)
        expect(await ask(port, type('a'), upload)).toEqual({
          code: 'body-unseen',
          message: expect.stringContaining('multer'),
        })
      }
      // A bug: the empty query of a URL without one was taken for an empty form.
      const said = await serve([], {
        fingerprint: (req) => ({ query: req.query, digest: req.get('x-digest') ?? null }),
      })
      expect(await send(said, type('a'), multipart('a', 1))).toBe(200)
      const noBody = await serve([], { fingerprint: (req) => ({ fields: req.body }) })
      expect((await post(noBody, '/', { 'Idempotency-Key': 'k' }, '')).status).toBe(200)
    })

    test('do not matter without a key', async () => {
      const port = await serve([], { required: false })
      expect((await post(port, '/')).status).toBe(200)
    })
  })
}
