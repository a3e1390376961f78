import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { Request, Response } from 'express'
import { describe, expect, test } from 'vitest'
import { post, type WireResponse } from '../support/connection.ts'
import { heldStore } from '../support/held-store.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

type Handler = (req: Request, res: Response) => unknown

/** Ways to send a buffer that the handler then reuses. */
const handOver: Record<string, (res: Response, buffer: Buffer) => unknown> = {
  end: (res, buffer) => res.end(buffer),
  send: (res, buffer) => res.send(buffer),
  write: (res, buffer) => {
    res.write(buffer)
    res.end()
  },
  'end with a part of it': (res, buffer) => res.end(buffer.subarray(0, 7)),
  'end with a Uint8Array of its memory': (res, buffer) =>
    res.end(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)),
}

for (const [version, express] of expressVersions) {
  describe(`${version}: the sent response equals the stored one`, () => {
    for (const [title, give] of Object.entries(handOver)) {
      test(`even if the handler reuses the buffer it gave to ${title}`, async () => {
        const store = heldStore()
        const shared = Buffer.alloc(7)
        const app = quietApp(express)
        app.use(express.json(), idempotency({ store, scope: 'dangerously-shared' }))
        app.post('/:tenant', (req, res) => {
          shared.write(`for ${req.params.tenant} `)
          give(res, shared)
        })
        const port = await served(app)
        const first = post(port, '/one', { 'Idempotency-Key': 'a' })
        await store.asked()
        const second = post(port, '/two', { 'Idempotency-Key': 'b' })
        await store.asked()
        shared.fill('x')
        store.letGo()
        expect(String((await first).body)).toBe('for one')
        expect(String((await second).body)).toBe('for two')
        const again = await post(port, '/one', { 'Idempotency-Key': 'a' })
        expect(String(again.body)).toBe('for one')
      })
    }

    // A bug: a replay had the header that was set outside.
    test('even if the handler took a header away with an empty array', async () => {
      const app = quietApp(express)
      app.use(express.json(), (_, res, next) => {
        res.setHeader('Link', '</a>')
        next()
      })
      app.use(idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
      app.post('/', (_, res) => void res.setHeader('Link', []).end('x'))
      const port = await served(app)
      for (let n = 0; n < 2; n += 1) {
        const { headers } = await post(port, '/', { 'Idempotency-Key': 'k' })
        expect(headers.filter(([name]) => /link/i.test(name))).toEqual([])
      }
    })

    test('even if the handler changes a header array after responding', async () => {
      const store = heldStore()
      const app = quietApp(express)
      app.use(express.json(), idempotency({ store, scope: 'dangerously-shared' }))
      app.post('/', (_, res) => {
        const links = ['</a>', '</b>']
        res.setHeader('Link', links)
        res.end('x')
        links.push('</c>')
        links[0] = '</d>'
      })
      const port = await served(app)
      const first = post(port, '/', { 'Idempotency-Key': 'a' })
      await store.asked()
      store.letGo()
      expect(linksOf(await first)).toEqual(['</a>', '</b>'])
      expect(linksOf(await post(port, '/', { 'Idempotency-Key': 'a' }))).toEqual(['</a>', '</b>'])
    })
  })

  describe(`${version}: header arrays set outside and changed inside`, () => {
    const app = (handler: Handler) => {
      const app = quietApp(express)
      app.use((_, res, next) => {
        res.setHeader('Link', ['</a>', '</b>'])
        res.setHeader('Set-Cookie', ['theme=dark', 'csrf=1'])
        next()
      })
      const once = idempotency({
        store: memoryStore(),
        scope: 'dangerously-shared',
        handlerTimeoutMs: 30,
      })
      app.use(express.json(), once)
      app.post('/', handler)
      return served(app)
    }

    test('appended values are replayed', async () => {
      const port = await app((_, res) => {
        res.appendHeader('Link', '</orders/1>')
        res.json({ id: 1 })
      })
      for (const _ of ['first', 'again']) {
        const answer = await post(port, '/', { 'Idempotency-Key': 'a' })
        expect(linksOf(answer)).toEqual(['</a>', '</b>', '</orders/1>'])
      }
    })

    test.each(['appended to', 'changed in place'])(
      'nothing of an undone response leaves that was %s',
      async (how) => {
        const port = await app((_, res) => {
          if (how === 'appended to') res.appendHeader('Set-Cookie', 'session=SECRET')
          else (res.getHeader('Set-Cookie') as string[])[0] = 'session=SECRET'
        })
        const answer = await post(port, '/', { 'Idempotency-Key': 'a' })
        expect(answer.status).toBe(503)
        expect(valuesOf(answer, 'set-cookie')).toEqual(['theme=dark', 'csrf=1'])
      },
    )

    test('an array with the same text in different elements counts as changed', async () => {
      const port = await app((_, res) => {
        res.setHeader('Link', ['</a>,</b>'])
        res.json({ id: 1 })
      })
      for (const _ of ['first', 'again']) {
        expect(linksOf(await post(port, '/', { 'Idempotency-Key': 'a' }))).toEqual(['</a>,</b>'])
      }
    })
  })
}

const linksOf = (response: WireResponse) => valuesOf(response, 'link')

function valuesOf({ headers }: WireResponse, wanted: string): string[] {
  return headers.flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []))
}
