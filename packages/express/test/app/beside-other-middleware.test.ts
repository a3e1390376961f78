import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import cors from 'cors'
import type { RequestHandler } from 'express'
import helmet from 'helmet'
import morgan from 'morgan'
import { pinoHttp } from 'pino-http'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectTo, header, post } from '../support/connection.ts'
import { responseTime, session, slowEnd } from '../support/other-middleware.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const once = (options: object = {}) =>
  idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options })

for (const [version, express] of expressVersions) {
  const app = (middleware: readonly RequestHandler[], handler: RequestHandler) => {
    const app = quietApp(express)
    app.use(express.json(), ...middleware)
    app.post('/', handler)
    return app
  }
  const key = { 'Idempotency-Key': 'k' }
  const json: RequestHandler = (_, res) => void res.status(201).json({ id: 1 })
  const pieces: RequestHandler = (_, res) => {
    res.status(201).write('a')
    res.end('b')
  }

  describe(`${version} beside other middleware`, () => {
    test('helmet outside sets its headers on every response, and replays keep what the handler changed', async () => {
      const port = await served(
        app([helmet(), once()], (_, res) => {
          res.removeHeader('X-Frame-Options')
          res.set('Referrer-Policy', 'origin').json({})
        }),
      )
      const first = await post(port, '/', key)
      const again = await post(port, '/', key)
      for (const answer of [first, again]) {
        expect(header(answer, 'x-frame-options')).toBeUndefined()
        expect(header(answer, 'referrer-policy')).toBe('origin')
        expect(header(answer, 'strict-transport-security')).toMatch(/max-age/)
        expect(header(answer, 'content-security-policy')).toMatch(/default-src/)
      }
    })

    test('cors outside adapts a replay to the origin that asks', async () => {
      const port = await served(app([cors({ origin: [/./], credentials: true }), once()], json))
      const first = await post(port, '/', { ...key, Origin: 'https://a.test' })
      const again = await post(port, '/', { ...key, Origin: 'https://b.test' })
      expect(header(first, 'access-control-allow-origin')).toBe('https://a.test')
      expect(header(again, 'access-control-allow-origin')).toBe('https://b.test')
      expect(header(again, 'vary')).toBe('Origin')
    })

    test('cors inside adds nothing to a replay', async () => {
      const port = await served(app([once(), cors({ origin: [/./] })], json))
      await post(port, '/', { ...key, Origin: 'https://a.test' })
      const again = await post(port, '/', { ...key, Origin: 'https://b.test' })
      expect(header(again, 'access-control-allow-origin')).toBeUndefined()
    })

    for (const [title, handler] of [
      ['json', json],
      ['write and end', pieces],
    ] as const) {
      test(`a session outside, ${title}, sets a new cookie on every response`, async () => {
        const port = await served(app([session, once()], handler))
        const first = await post(port, '/', key)
        const again = await post(port, '/', key)
        expect(first.status).toBe(201)
        expect(again.status).toBe(201)
        expect(again.body).toEqual(first.body)
        expect(header(first, 'set-cookie')).toMatch(/^visit=\d+$/)
        expect(header(again, 'set-cookie')).toMatch(/^visit=\d+$/)
        expect(header(again, 'set-cookie')).not.toBe(header(first, 'set-cookie'))
      })

      test(`a session inside, ${title}, sets its cookie on the first response only`, async () => {
        const port = await served(app([once(), session], handler))
        const first = await post(port, '/', key)
        const again = await post(port, '/', key)
        expect(header(first, 'set-cookie')).toMatch(/^visit=\d+$/)
        expect(header(again, 'set-cookie')).toBeUndefined()
        expect(header(again, 'x-idempotency-replayed')).toBe('true')
        expect(again.body).toEqual(first.body)
      })

      test(`a slow end(), outside and inside, ${title}`, async () => {
        const port = await served(app([slowEnd, once(), slowEnd], handler))
        const first = await post(port, '/', key)
        const again = await post(port, '/', key)
        expect(first.status).toBe(201)
        expect(again.body).toEqual(first.body)
        expect(header(again, 'x-idempotency-replayed')).toBe('true')
      })
    }

    test.each([
      ['a session', session],
      ['an end() that takes its time', slowEnd],
    ])('%s outside leaves the timeout problem intact', async (_, outside) => {
      const late = vi.fn()
      const port = await served(
        app([outside, once({ handlerTimeoutMs: 20 })], async (req, res) => {
          const signal = req.idempotency?.signal as AbortSignal
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          await new Promise((resolve) => res.once('finish', resolve))
          res.status(201).json({ late: true })
          late()
        }),
      )
      const answer = await post(port, '/', key)
      expect(answer.status).toBe(503)
      expect(JSON.parse(String(answer.body)).code).toBe('handler-timeout')
      await vi.waitFor(() => expect(late).toHaveBeenCalled())
    })

    test('a response timer outside measures every response and is never replayed', async () => {
      const port = await served(app([responseTime, once(), responseTime], json))
      const first = await post(port, '/', key)
      const again = await post(port, '/', key)
      expect(header(first, 'x-response-time')).toMatch(/ms$/)
      expect(header(again, 'x-response-time')).toMatch(/ms$/)
      expect(header(again, 'x-response-time')).not.toBe(header(first, 'x-response-time'))
    })

    test.each(['outside', 'inside'])('morgan %s logs what the client got', async (where) => {
      const lines: string[] = []
      const log = morgan(':status :res[content-length] :res[location]', {
        stream: { write: (line) => void lines.push(line.trim()) },
      })
      const idempotent = once({ handlerTimeoutMs: 20 })
      const port = await served(
        app(where === 'outside' ? [log, idempotent] : [idempotent, log], (req, res) => {
          if (req.body.slow) return
          res.status(201).location('/1').json({ id: 1 })
        }),
      )
      await post(port, '/', key)
      await vi.waitFor(() => expect(lines).toEqual(['201 8 /1']))
      await post(port, '/', { 'Idempotency-Key': 'slow' }, '{"slow":true}')
      await vi.waitFor(() => expect(lines[1]).toMatch(/^503 \d+ -$/))
      if (where === 'inside') return
      await post(port, '/', key)
      await post(port, '/')
      await vi.waitFor(() => expect(lines[2]).toBe('201 8 /1'))
      await vi.waitFor(() => expect(lines[3]).toMatch(/^400 \d+ -$/))
    })

    test.each(['outside', 'inside'])(
      'pino-http %s logs what the client got, once',
      async (where) => {
        const lines: { res: { statusCode: number }; err?: unknown; msg: string }[] = []
        const log = pinoHttp(
          {},
          new Writable({
            write(line, _, done) {
              lines.push(JSON.parse(line))
              done()
            },
          }),
        )
        const idempotent = once()
        const port = await served(
          app(where === 'outside' ? [log, idempotent] : [idempotent, log], json),
        )
        await post(port, '/', key)
        await vi.waitFor(() => expect(lines).toHaveLength(1))
        expect(lines[0]).toMatchObject({ res: { statusCode: 201 }, msg: 'request completed' })
        if (where === 'inside') return
        await post(port, '/', key)
        await vi.waitFor(() => expect(lines).toHaveLength(2))
        expect(lines[1]).toMatchObject({ res: { statusCode: 201 }, msg: 'request completed' })
      },
    )

    test('a response that another middleware sent meanwhile stands, and the handler does not run', async () => {
      const store = memoryStore()
      const ran = vi.fn()
      const impatient: RequestHandler = (_, res, next) => {
        next()
        res.status(503).json({ error: 'timeout' })
      }
      const port = await served(
        app([impatient, once({ store })], (_, res) => {
          ran()
          res.json({})
        }),
      )
      for (let i = 0; i < 2; i++) {
        const answer = await post(port, '/', key)
        expect(answer.status).toBe(503)
        expect(JSON.parse(String(answer.body))).toEqual({ error: 'timeout' })
      }
      expect(ran).not.toHaveBeenCalled()
    })

    test('one connection serves problems, first responses and replays in turn', async () => {
      const port = await served(app([once()], json))
      const connection = await connectTo(port)
      for (const [headers, status] of [
        [{}, 400],
        [key, 201],
        [key, 201],
        [{ 'Idempotency-Key': '"' }, 400],
        [{ 'Idempotency-Key': 'other' }, 201],
        [key, 201],
      ] as const) {
        connection.post('/', headers)
        expect((await connection.response()).status).toBe(status)
      }
    })

    test('pipelined requests get their responses in order', async () => {
      const handler: RequestHandler = async (req, res) => {
        await new Promise((resolve) => setTimeout(resolve, req.body.wait))
        res.json(req.body)
      }
      const connection = await connectTo(await served(app([once()], handler)))
      const waits = [20, 0, 10, 0]
      for (const [n, wait] of waits.entries()) {
        connection.post('/', { 'Idempotency-Key': `k${n}` }, `{"wait":${wait}}`)
      }
      for (const wait of waits) {
        expect(JSON.parse(String((await connection.response()).body))).toEqual({ wait })
      }
    })

    test('a client that reads slowly gets every byte', async () => {
      const large = 'x'.repeat(1_000_000)
      const port = await served(app([once()], (_, res) => void res.send(large)))
      for (let i = 0; i < 2; i++) {
        const connection = await connectTo(port)
        connection.post('/', key)
        const reading = connection.response()
        for (let pause = 0; pause < 5; pause++) {
          connection.socket.pause()
          await new Promise((resolve) => setTimeout(resolve, 5))
          connection.socket.resume()
        }
        expect((await reading).body.length).toBe(large.length)
      }
    })

    test('a server that refuses bodies for 204 still sends its response', async () => {
      const server = createServer(
        { rejectNonStandardBodyWrites: true },
        app([once()], (_, res) => void res.status(204).end()),
      )
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void server.close())
      const { port } = server.address() as AddressInfo
      expect((await post(port, '/', key)).status).toBe(204)
      expect((await post(port, '/', key)).status).toBe(204)
    })

    test('next() called after a replay reaches no handler', async () => {
      const ran = vi.fn()
      const idempotent = once()
      const port = await served(
        app([idempotent], (_, res, next) => {
          ran()
          res.json({})
          next()
        }),
      )
      await post(port, '/', key)
      await post(port, '/', key)
      expect(ran).toHaveBeenCalledOnce()
    })
  })
}
