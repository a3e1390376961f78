import { once } from 'node:events'
import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { deferred } from '../../core/src/time/deferred.ts'
import { coveredApp, fastifyVersions, http2Server, until } from './app.ts'

const WHOLE = 'amount=1000'
const HALF = 'amount=10'

describe.each(fastifyVersions)('over HTTP/2, on %s, an upload that is cut off', (_, factory) => {
  // Node ends the body of a stream that was reset as if it were whole, and Fastify parses it.
  test('is not claimed, and its retry runs', async () => {
    const { app } = await coveredApp({ server: http2Server, factory })
    app.addContentTypeParser('text/x', { parseAs: 'string' }, (_, body, done) => done(null, body))
    const { seen, errors, cut, send } = await site(app, async ({ body }) => String(body))
    await cut()
    await until(() => seen.length + errors.length > 0)
    expect(await send()).toBe(200)
    expect({ seen, errors }).toEqual({ seen: [WHOLE], errors: ['ECONNABORTED'] })
  })

  // A bug: what the function had read was an empty body by then, and it was claimed.
  test('is not claimed, and its retry runs, if `fingerprint` waits before it reads', async () => {
    const isCutOff = deferred<void>()
    const { app } = await coveredApp({
      server: http2Server,
      factory,
      fingerprint: async ({ raw }) => isCutOff.promise.then(() => text(raw)),
    })
    app.addContentTypeParser('text/x', (_, body, done) => done(null, body))
    const { seen, errors, cut, send } = await site(app, async () => 'taken')
    await cut()
    isCutOff.resolve()
    await until(() => seen.length + errors.length > 0)
    expect(await send()).toBe(200)
    expect({ seen, errors }).toEqual({ seen: ['taken'], errors: ['ECONNABORTED'] })
  })
})

/** A site whose handler puts into `seen` what `see` returns. `cut` sends a half, `send` all. */
async function site(app: FastifyInstance, see: (request: { body: unknown }) => Promise<string>) {
  const seen: string[] = []
  const errors: (string | undefined)[] = []
  app.addHook('onError', async (_request, _reply, error) => {
    errors.push((error as { code?: string }).code)
  })
  app.post('/x', async (request) => {
    seen.push(await see(request))
    return 'done'
  })
  await app.listen({ host: '127.0.0.1', port: 0 })

  function open() {
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

  async function cut(): Promise<void> {
    const gone = once(app.server, 'stream').then(([stream]) => once(stream, 'close'))
    const { client, request } = open()
    request.write(HALF)
    await once(request, 'ready')
    // What was sent before it has arrived when a ping is answered.
    await new Promise((resolve) => client.ping(resolve))
    client.destroy()
    await gone
  }

  async function send(): Promise<number | undefined> {
    const { request } = open()
    request.end(WHOLE)
    const [headers] = await once(request, 'response')
    return headers[':status']
  }
  return { seen, errors, cut, send }
}
