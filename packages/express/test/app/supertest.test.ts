import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import request from 'supertest'
import { describe, expect, test } from 'vitest'
import { expressVersions, quietApp } from '../support/served.ts'

for (const [version, express] of expressVersions) {
  describe(`${version} under supertest`, () => {
    const serve = () => {
      const store = memoryStore()
      const once = idempotency({ store, scope: 'dangerously-shared' })
      const app = quietApp(express)
      app.use(express.json({ limit: 10 }), once)
      app.post('/', (req, res) => {
        once.of(req).emit({ type: 'order.placed' })
        res.status(201).json({ id: store.events.length + 1 })
      })
      return { app, store, post: () => request(app).post('/').set('Idempotency-Key', 'k') }
    }

    test('an app that does not listen runs once and is replayed', async () => {
      const { post, store } = serve()
      await post().send({ a: 1 }).expect(201, { id: 1 })
      await post().send({ a: 1 }).expect(201, { id: 1 }).expect('X-Idempotency-Replayed', 'true')
      await post().send({ a: 2 }).expect(422)
      expect(store.events).toHaveLength(1)
    })

    test('an agent keeps its connection between replays', async () => {
      const { app } = serve()
      const agent = request.agent(app)
      for (let i = 0; i < 5; i++) {
        await agent.post('/').set('Idempotency-Key', 'k').send({ a: 1 }).expect(201, { id: 1 })
      }
    })

    test('a body that a parser refuses claims nothing', async () => {
      const { post } = serve()
      await post().send({ much: 'too large' }).expect(413)
      await post().type('text/plain').send('x').expect(415)
      await post().send({ a: 1 }).expect(201, { id: 1 })
    })
  })
}
