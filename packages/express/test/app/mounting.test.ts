import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { ErrorRequestHandler, Request, RequestHandler } from 'express'
import { describe, expect, test } from 'vitest'
import { header, post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const key = { 'Idempotency-Key': 'k' }

/** Responds with the code of an error that reached the app. */
const codeOf: ErrorRequestHandler = (error, _, res, __) =>
  void res.status(500).json({ code: error.code, message: error.message })

for (const [version, express] of expressVersions) {
  const once = (options: object = {}) =>
    idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options })
  const counted = () => {
    let runs = 0
    const handler: RequestHandler = (_, res) => {
      runs += 1
      res.status(201).json({ runs })
    }
    return handler
  }
  const expectReplay = async (port: number, path: string) => {
    const first = await post(port, path, key)
    const again = await post(port, path, key)
    expect(first.status).toBe(201)
    expect(String(again.body)).toBe('{"runs":1}')
    expect(header(again, 'x-idempotency-replayed')).toBe('true')
  }

  test(`${version}: a request is left out by a key function, and its handler still has a context`, async () => {
    const covered = once({
      required: false,
      key: (req: Request) =>
        req.get('x-import') === 'yes' ? undefined : req.get('idempotency-key'),
    })
    let runs = 0
    const app = quietApp(express)
    app.post('/orders', express.json(), covered, async (req, res) => {
      await covered.of(req).transaction()
      runs += 1
      res.json({ runs })
    })
    const port = await served(app)
    await post(port, '/orders', key)
    expect(String((await post(port, '/orders', key)).body)).toBe('{"runs":1}')
    const left = await post(port, '/orders', { ...key, 'X-Import': 'yes' })
    expect(String(left.body)).toBe('{"runs":2}')
    expect(header(left, 'x-idempotency-replayed')).toBeUndefined()
  })

  describe(`${version}: mounted`, () => {
    test('on the app', async () => {
      const app = quietApp(express)
      app.use(express.json(), once())
      app.post('/orders', counted())
      await expectReplay(await served(app), '/orders')
    })

    test('on a router', async () => {
      const router = express.Router()
      router.use(express.json(), once())
      router.post('/orders', counted())
      const app = quietApp(express)
      app.use('/v1', router)
      await expectReplay(await served(app), '/v1/orders')
    })

    test('on one route', async () => {
      const app = quietApp(express)
      app.post('/orders', express.json(), once(), counted())
      await expectReplay(await served(app), '/orders')
    })

    test('before a mounted app, which gives the response another prototype', async () => {
      const inner = quietApp(express)
      inner.post('/orders', counted())
      const app = quietApp(express)
      app.use(express.json(), once())
      app.use('/inner', inner)
      await expectReplay(await served(app), '/inner/orders')
    })

    test('before a mounted app that calls next(), with the handler in the outer app', async () => {
      const app = quietApp(express)
      app.use(express.json(), once(), quietApp(express))
      app.post('/orders', counted())
      await expectReplay(await served(app), '/orders')
    })

    test('on a router mounted twice, it fingerprints the path that the client sent', async () => {
      const router = express.Router()
      router.use(express.json(), once())
      router.post('/orders', counted())
      const app = quietApp(express)
      app.use('/v1', router)
      app.use('/v2', router)
      const port = await served(app)
      expect((await post(port, '/v1/orders', key)).status).toBe(201)
      const other = await post(port, '/v2/orders', key)
      expect(other.status).toBe(422)
      expect(JSON.parse(String(other.body)).code).toBe('key-reused')
    })

    test('twice, it reports the mistake on the first request', async () => {
      const idempotent = once()
      const app = quietApp(express)
      app.use(express.json(), idempotent)
      app.post('/orders', idempotent, counted())
      app.use(codeOf)
      const answer = await post(await served(app), '/orders', key)
      expect(JSON.parse(String(answer.body))).toMatchObject({
        code: 'mounted-twice',
        message: expect.stringMatching(/Mount it once/),
      })
    })

    test('on separate routes with separate options over one store', async () => {
      const store = memoryStore()
      const app = quietApp(express)
      app.use(express.json())
      app.post('/orders', once({ store }), counted())
      app.post('/refunds', once({ store, required: false, namespace: 'refunds' }), counted())
      const port = await served(app)
      await expectReplay(port, '/orders')
      await expectReplay(port, '/refunds')
      expect((await post(port, '/orders')).status).toBe(400)
      expect((await post(port, '/refunds')).status).toBe(201)
    })

    test('elsewhere, once.of names the route where it is missing', async () => {
      const idempotent = once()
      const app = quietApp(express)
      app.post('/orders', express.json(), (req, res) => {
        idempotent.of(req)
        res.json({})
      })
      app.use(codeOf)
      const answer = await post(await served(app), '/orders?page=1', key)
      expect(JSON.parse(String(answer.body))).toMatchObject({
        code: 'not-covered',
        message: expect.stringContaining('POST /orders?page=1'),
      })
    })

    test('it has a name that identifies it in stack traces', () => {
      expect(once().name).toBe('idempotency')
    })
  })
}
