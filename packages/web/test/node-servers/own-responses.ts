import { once as emitted } from 'node:events'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/web/hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { afterEach, describe, expect, test } from 'vitest'
import type { NodeServer } from './versions.ts'

/** Whatever a handler does with its own Response is what leaves, on each version of the server. */
export function describeOwnResponses({ serve }: NodeServer): void {
  const closing: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  async function answersOf(
    handler: () => Response,
    { inside = (_, next) => next() }: { readonly inside?: MiddlewareHandler } = {},
  ): Promise<readonly Headers[]> {
    const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
    const app = new Hono()
    app.post('/', once, inside, handler)
    app.onError(() => changed(new Response('refused', { status: 409, headers: { 'x-kind': '1' } })))
    const server = serve(app)
    server.listen(0, '127.0.0.1')
    await emitted(server, 'listening')
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const answers: Headers[] = []
    for (let asked = 0; asked < 2; asked++) {
      const headers = { 'idempotency-key': 'k', connection: 'close' }
      answers.push((await fetch(url, { method: 'POST', headers, body: '{}' })).headers)
    }
    expect(answers.map((headers) => headers.get('x-idempotency-replayed'))).toEqual([null, 'true'])
    return answers
  }

  const changed = (response: Response): Response => {
    response.headers.set('x-kind', '2')
    response.headers.append('x-late', 'late')
    response.headers.append('set-cookie', 'a=1')
    response.headers.append('set-cookie', 'b=2')
    return response
  }

  // When the body is first read, version 1 of the server makes the Response again, without these
  // headers.
  describe('the headers that a handler changed on its Response', () => {
    const handlers: Record<string, () => Response> = {
      'of text': () => changed(new Response('text', { headers: { 'x-kind': '1' } })),
      'of text without headers': () => changed(new Response('text')),
      'of bytes': () => changed(new Response(new Uint8Array([65]), { headers: { 'x-kind': '1' } })),
      'without a body': () => changed(new Response(null, { headers: { 'x-kind': '1' } })),
      'of an error': () => {
        throw new Error('refused')
      },
    }
    test.each(Object.entries(handlers))('%s leave, and are replayed', async (_, handler) => {
      const [first, replay] = await answersOf(handler)
      for (const headers of [first, replay]) {
        expect(headers?.get('x-kind')).toBe('2')
        expect(headers?.get('x-late')).toBe('late')
      }
      expect(first?.getSetCookie()).toEqual(['a=1', 'b=2'])
      expect(replay?.getSetCookie()).toEqual([])
    })
  })

  test('the headers that a middleware inside set on a Response leave, and are replayed', async () => {
    const inside = secureHeaders()
    const answers = await answersOf(() => new Response('text'), { inside })
    for (const headers of answers) expect(headers.get('x-frame-options')).toBe('SAMEORIGIN')
  })
}
