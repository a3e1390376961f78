import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { describe, expect, test } from 'vitest'
import { header, post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const key = { 'Idempotency-Key': 'k' }

/** Answers with the code of an error that reached the app. */
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

    test('before an app that is mounted in the app, which gives the response another prototype', async () => {
      const inner = quietApp(express)
      inner.post('/orders', counted())
      const app = quietApp(express)
      app.use(express.json(), once())
      app.use('/inner', inner)
      await expectReplay(await served(app), '/inner/orders')
    })

    test('before an app that passes on, and a handler in the outer one', async () => {
      const app = quietApp(express)
      app.use(express.json(), once(), quietApp(express))
      app.post('/orders', counted())
      await expectReplay(await served(app), '/orders')
    })

    test('on a router that is mounted twice: the path as the client sent it counts, not the router’s', async () => {
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

    test('twice: an error that says so, at the first request', async () => {
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

    test('on routes of their own, with options of their own, over one store', async () => {
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

    test('not before this handler: once.of says where it is missing', async () => {
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

    test('its function carries the name by which stack traces call it', () => {
      expect(once().name).toBe('idempotency')
    })
  })
}
