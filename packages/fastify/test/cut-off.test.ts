import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { coveredApp, fastifyVersions, post, until } from './app.ts'

const WHOLE = 'amount=1000'

test.each(fastifyVersions)(
  'what a handler refuses of an upload that is cut off is not kept: %s',
  async (_, factory) => {
    const { app } = await coveredApp({ factory, fingerprint: () => 'of a header', waitMs: 5_000 })
    app.addContentTypeParser('text/x', (_request, payload, done) => done(null, payload))
    const got: string[] = []
    app.post('/x', async (request, reply) => {
      const body = await text(request.raw).catch(() => 'a part')
      got.push(body)
      return body === WHOLE ? 'taken' : reply.code(400).send('malformed')
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const client = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    onTestFinished(() => void client.destroy())
    client.write(
      'POST /x HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Type: text/x\r\n' +
        `Content-Length: ${WHOLE.length}\r\n\r\n${WHOLE.slice(0, -1)}`,
    )
    await once(app.server, 'request')
    client.destroy()
    await until(() => got.length === 1)
    const headers = { 'content-type': 'text/x' }
    const again = await post(app, '/x', { key: 'k', headers, chunks: [WHOLE] })
    expect([again.status, got]).toEqual([200, ['a part', WHOLE]])
  },
)
