import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { ErrorRequestHandler } from 'express'
import { expect, test } from 'vitest'
import { connectTo } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

// Express's own waits for the whole body.
const fail: ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).end()

// Node discards the rest of a body that nobody has looked at, and would never reach the next
// request of the connection behind one that somebody has.
for (const [version, express] of expressVersions) {
  test.each([
    ['no parser took', 415, [express.json()]],
    ['no parser was there for', 500, []],
  ])(
    `${version}: a large body that %s does not hold up the next request`,
    async (_, status, parsers) => {
      const app = quietApp(express)
      for (const parser of parsers) app.use(parser)
      app.use(idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
      app.post('/', (_, res) => void res.send('done'))
      app.use(fail)
      const connection = await connectTo(await served(app))
      const size = 1_000_000
      connection.write(
        'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\nContent-Type: text/x\r\n' +
          `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`,
      )
      connection.write(Buffer.alloc(1000))
      expect((await connection.response()).status).toBe(status)
      connection.write(Buffer.alloc(size - 1000))
      connection.write('\r\n0\r\n\r\n')
      connection.write(
        'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: b\r\nContent-Length: 0\r\n\r\n',
      )
      expect((await connection.response()).status).toBe(200)
    },
  )
}
