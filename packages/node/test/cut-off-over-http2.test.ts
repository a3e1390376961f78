import { once as emitted } from 'node:events'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { memoryStore } from '@oncekey/core'
import { idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'

const WHOLE = 'amount=1000'
const HALF = 'amount=10'

type Middleware = ReturnType<typeof idempotency<unknown, NodeRequest>>

/**
 * A site over HTTP/2. `cut` sends half of a body and loses its connection; it resolves when the
 * server has noticed. `send` sends all of it. `seen` has the bodies that the handler got, `errors`
 * the codes of what went to the error handling.
 */
async function site(once: Middleware, before?: (req: NodeRequest) => Promise<void>) {
  const seen: string[] = []
  const errors: (string | undefined)[] = []
  const server = createServer(async (req, res) => {
    const request = req as unknown as NodeRequest
    await before?.(request)
    await once(request, res as never, async (error) => {
      if (error) errors.push((error as { code?: string }).code)
      else seen.push(request.body ?? (await text(request)))
      res.end('done')
    })
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  onTestFinished(() => void server.close())

  function session() {
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    client.on('error', () => {})
    onTestFinished(() => client.destroy())
    const request = client.request({ ':method': 'POST', 'idempotency-key': 'k' })
    request.on('error', () => {})
    return { client, request }
  }

  async function cut(): Promise<void> {
    const gone = emitted(server, 'stream').then(([stream]) => emitted(stream, 'close'))
    const { client, request } = session()
    request.write(HALF)
    await emitted(request, 'ready')
    // What was sent before it has arrived when a ping is answered.
    await new Promise((resolve) => client.ping(resolve))
    client.destroy()
    await gone
  }

  async function send(): Promise<number | undefined> {
    const { request } = session()
    request.end(WHOLE)
    const [headers] = await emitted(request, 'response')
    return headers[':status']
  }
  return { seen, errors, cut, send }
}

test('an upload that is cut off is claimed by nobody, and its retry runs: read by the app', async () => {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
  const { seen, errors, cut, send } = await site(once, async (req) => {
    req.body = await new Promise((resolve) => {
      let body = ''
      req.on('data', (chunk) => {
        body += chunk
      })
      req.on('end', () => resolve(body))
    })
  })
  await cut()
  expect(await send()).toBe(200)
  expect({ seen, errors }).toEqual({ seen: [WHOLE], errors: ['ECONNABORTED'] })
})

test('an upload that is cut off is claimed by nobody, and its retry runs: read by us, late', async () => {
  let cutOff = (): void => {}
  const isCutOff = new Promise<void>((resolve) => {
    cutOff = resolve
  })
  const once = idempotency({
    store: memoryStore(),
    scope: async () => {
      await isCutOff
      return 'ana'
    },
  })
  const { seen, errors, cut, send } = await site(once)
  await cut()
  cutOff()
  expect(await send()).toBe(200)
  expect({ seen, errors }).toEqual({ seen: [WHOLE], errors: ['ECONNABORTED'] })
})

test('an upload that is cut off is claimed by nobody, and its retry runs: a fingerprint of the app', async () => {
  const once = idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    fingerprint: async (_, bytes) => String(await bytes()),
  })
  const { seen, errors, cut, send } = await site(once)
  await cut()
  expect(await send()).toBe(200)
  expect({ seen, errors }).toEqual({ seen: [WHOLE], errors: ['ECONNABORTED'] })
})

// A bug: what the function had read was an empty body by then, and it was claimed.
test('an upload that is cut off is claimed by nobody, and its retry runs: a fingerprint that waits before it reads', async () => {
  let cutOff = (): void => {}
  const isCutOff = new Promise<void>((resolve) => {
    cutOff = resolve
  })
  const once = idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    async fingerprint(_, bytes) {
      await isCutOff
      return String(await bytes())
    },
  })
  const { seen, errors, cut, send } = await site(once)
  await cut()
  cutOff()
  expect(await send()).toBe(200)
  expect({ seen, errors }).toEqual({ seen: [WHOLE], errors: ['ECONNABORTED'] })
})

// A bug: nobody held the promise that the function had returned, and its rejection ended the
// process.
test.each([
  [
    'fails for want of a body',
    (isCutOff: Promise<void>) => ({
      scope: () => isCutOff.then(() => 'ana'),
      fingerprint: async (_: unknown, bytes: () => Promise<Uint8Array>) =>
        new URLSearchParams(String(await bytes())).get('amount') ?? fail(),
    }),
  ],
  [
    'begins to read the body, and awaits it later',
    (isCutOff: Promise<void>) => ({
      scope: () => 'ana',
      fingerprint: async (_: unknown, bytes: () => Promise<Uint8Array>) => {
        const body = bytes()
        await isCutOff
        return String(await body)
      },
    }),
  ],
])('an upload that is cut off ends no process: a fingerprint that %s', async (_, optionsFor) => {
  const rejected: unknown[] = []
  const note = (reason: unknown) => void rejected.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  let cutOff = (): void => {}
  const isCutOff = new Promise<void>((resolve) => {
    cutOff = resolve
  })
  const once = idempotency({ store: memoryStore(), ...optionsFor(isCutOff) })
  const { seen, errors, cut, send } = await site(once)
  await cut()
  cutOff()
  expect(await send()).toBe(200)
  expect({ seen, errors, rejected }).toEqual({
    seen: [WHOLE],
    errors: ['ECONNABORTED'],
    rejected: [],
  })
})

function fail(): never {
  throw new Error('the body is empty')
}
