import { once } from 'node:events'
import { connect } from 'node:http2'
import { expect, onTestFinished, test } from 'vitest'
import { coveredApp, fastifyVersions, http2Server, until } from './app.ts'

const WHOLE = 'amount=1000'
const HALF = 'amount=10'

// Node ends the body of a stream that was reset as if it were whole, and Fastify parses it.
test.each(fastifyVersions)(
  'over HTTP/2 an upload that is cut off is not claimed, and its retry runs: %s',
  async (_, factory) => {
    const { app } = await coveredApp({ server: http2Server, factory })
    app.addContentTypeParser('text/x', { parseAs: 'string' }, (_, body, done) => done(null, body))
    const seen: unknown[] = []
    const errors: (string | undefined)[] = []
    app.addHook('onError', async (_request, _reply, error) => {
      errors.push((error as { code?: string }).code)
    })
    app.post('/x', async (request) => {
      seen.push(request.body)
      return 'done'
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const open = () => {
      const client = connect(app.listeningOrigin)
      client.on('error', () => {})
      onTestFinished(() => client.destroy())
      const request = client.request({
        ':method': 'POST',
        ':path': '/x',
        'idempotency-key': 'k',
        'content-type': 'text/x',
      })
      request.on('error', () => {})
      return { client, request }
    }

    const { client, request } = open()
    request.write(HALF)
    await once(request, 'ready')
    // What was sent before it has arrived when a ping is answered.
    await new Promise((resolve) => client.ping(resolve))
    client.destroy()
    await until(() => seen.length + errors.length > 0)

    const { request: retry } = open()
    retry.end(WHOLE)
    const [headers] = await once(retry, 'response')
    expect(headers[':status']).toBe(200)
    expect({ seen, errors }).toEqual({ seen: [WHOLE], errors: ['ECONNABORTED'] })
  },
)
