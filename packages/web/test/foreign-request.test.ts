import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/web'
import { describe, expect, test } from 'vitest'

const init = () => ({
  method: 'POST',
  headers: { 'idempotency-key': 'k', 'content-type': 'application/x-www-form-urlencoded' },
  body: 'amount=1',
})

/**
 * Runtimes whose `clone()` does not copy, so that reading the "clone" would empty the handler's
 * request.
 */
const foreign: Record<string, () => Request> = {
  'clone() returns the request itself': () =>
    Object.assign(new Request('https://shop.example/', init()), {
      clone(this: Request) {
        return this
      },
    }),
  'clone() shares the body': () => {
    const request = new Request('https://shop.example/', init())
    const { body } = request
    const shared = { body, clone: () => ({ body }) }
    return new Proxy(request, {
      get: (target, name) =>
        name in shared ? Reflect.get(shared, name) : Reflect.get(target, name, target),
    })
  },
  'clone() has no stream to read': () =>
    Object.assign(new Request('https://shop.example/', init()), {
      clone: () => ({ body: undefined }) as unknown as Request,
    }),
  'reading the clone uses up the request': () => {
    const request = new Request('https://shop.example/', init())
    const copy = { body: new Response('amount=1').body, bodyUsed: false } as unknown as Request
    return Object.assign(request, {
      clone: () => {
        void request.text()
        return copy
      },
    })
  },
}

describe.each(Object.entries(foreign))('a Request of a runtime where %s', (_, make) => {
  test('is refused with an error: the handler does not run, and nothing is stored', async () => {
    let runs = 0
    const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
    const POST = once(async () => {
      runs += 1
      return new Response('done')
    })
    for (const _ of [1, 2])
      await expect(POST(make())).rejects.toMatchObject({ code: 'body-unseen' })
    expect(runs).toBe(0)
  })
})

test('a Request of a custom class with a custom body is read like any other', async () => {
  class AppRequest extends Request {
    get account() {
      return this.headers.get('x-account') ?? ''
    }
  }
  const once = idempotency({
    store: memoryStore(),
    scope: (request: AppRequest) => request.account,
  })
  const POST = once(async (request: AppRequest) =>
    Response.json({ account: request.account, body: await request.text() }),
  )
  const { headers, ...rest } = init()
  const sent = { ...rest, headers: { ...headers, 'x-account': 'ana' } }
  for (const _ of [1, 2]) {
    const answer = await POST(new AppRequest('https://shop.example/', sent))
    expect(await answer.json()).toEqual({ account: 'ana', body: 'amount=1' })
  }
})
