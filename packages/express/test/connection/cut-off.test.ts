import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { ErrorRequestHandler } from 'express'
import { expect, test } from 'vitest'
import { connectTo } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const BODY = '{"amount":1000}'

function head(more = ''): string {
  return (
    'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n' +
    `Content-Length: ${BODY.length}\r\n${more}\r\n`
  )
}

// The parser answers 400 to a client that has gone, and its retry with all of the body got that.
for (const [version, express] of expressVersions) {
  test(`${version}: what a parser behind the claim says of an upload that was cut off is not kept`, async () => {
    const [app, refused] = [quietApp(express), resolvers()]
    const once = idempotency({
      store: memoryStore(),
      scope: 'dangerously-shared',
      fingerprint: (req) => req.headers['x-digest'] ?? 'none',
      waitMs: 5_000,
    })
    app.post('/', once, express.json(), (req, res) => void res.status(201).json(req.body))
    const fail: ErrorRequestHandler = (error, _req, res, _next) => {
      refused.resolve(error.status)
      res.status(error.status).json({ error: error.message })
    }
    app.use(fail)
    const port = await served(app)
    const client = await connectTo(port)
    client.write(head() + BODY.slice(0, 5))
    await new Promise((resolve) => client.socket.write('', resolve))
    client.socket.destroy()
    expect(await refused.promise).toBe(400)
    const again = await connectTo(port)
    again.write(head('Connection: close\r\n') + BODY)
    const { status, body } = await again.response()
    expect([status, String(body)]).toEqual([201, BODY])
  })
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function resolvers(): { promise: Promise<number>; resolve(value: number): void } {
  let resolve = (_: number): void => {}
  const promise = new Promise<number>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
