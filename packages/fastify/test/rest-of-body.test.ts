import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { coveredApp, fastifyVersions, until } from './app.ts'

// Node discards the rest of a body that nobody has looked at, and would never reach the next
// request of the connection behind one that somebody has.
test.each(fastifyVersions)(
  'a large body that no parser read does not hold up the next request: %s',
  async (_, factory) => {
    const { app } = await coveredApp({ factory })
    app.addContentTypeParser('text/x', (_request, _body, done) => done(null))
    app.post('/x', async () => 'done')
    await app.listen({ host: '127.0.0.1', port: 0 })
    const client = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    onTestFinished(() => void client.destroy())
    await once(client, 'connect')
    const size = 1_000_000
    let received = ''
    client.on('data', (bytes) => {
      received += bytes
    })
    const statuses = () => received.match(/(?<=HTTP\/1\.1 )\d+/g) ?? []
    client.write(
      'POST /x HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\nContent-Type: text/x\r\n' +
        `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`,
    )
    client.write(Buffer.alloc(1000))
    await until(() => statuses().length === 1)
    client.write(Buffer.alloc(size - 1000))
    client.write('\r\n0\r\n\r\n')
    client.write('POST /x HTTP/1.1\r\nHost: x\r\nIdempotency-Key: b\r\nContent-Length: 0\r\n\r\n')
    await until(() => statuses().length === 2)
    expect(statuses()).toEqual(['500', '200'])
  },
)
