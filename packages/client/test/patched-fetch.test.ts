import { createFetch } from '@oncekey/client'
import { afterEach, expect, test, vi } from 'vitest'
import { answer, drop, scriptedServer } from './scripted-server.ts'

const quick = { baseDelayMs: 1, maxDelayMs: 2 }
const nodes = globalThis.fetch
type Given = Parameters<typeof fetch>

afterEach(() => {
  vi.unstubAllGlobals()
})

/** Like that of Next.js: it sends the body that a Request itself has, by another Request. */
async function takesApart(...[input, init]: Given): Promise<Response> {
  if (!(input instanceof Request)) return nodes(input, init)
  const { url, method, headers, body } = input
  return nodes(new Request(url, { method, headers, body, duplex: 'half' } as RequestInit))
}

/** Patches the global `fetch` as Next.js does, until the test is over. */
function patch(): void {
  vi.stubGlobal('fetch', Object.assign(takesApart.bind(undefined), { __nextPatched: true }))
}

/** Sets the mark that Next.js sets, whose own `fetch` somebody else has wrapped since. */
function wrap(): void {
  vi.stubGlobal('fetch', (...given: Given) => takesApart(...given))
  vi.stubGlobal(Symbol.for('next-patch') as never, true)
}

const order = (url: string) => new Request(url, { method: 'POST', body: 'a violin' })

// A bug: the Request itself was given to that fetch, and its body had been read.
test.each([
  ['fetch', patch],
  ['fetch, which somebody else has wrapped', wrap],
])('a Request is sent as it is by Next.js’ %s, at each attempt', async (_, replaced) => {
  const there = answer(307, '', { location: '/there' })
  const server = await scriptedServer(drop, there, answer(200))
  replaced()
  expect((await createFetch(quick)(order(server.url))).status).toBe(200)
  expect(server.seen.map(({ url, body }) => [url, body.toString()])).toEqual([
    ['/', 'a violin'],
    ['/', 'a violin'],
    ['/there', 'a violin'],
  ])
})

test('and so it is if Next.js patches fetch between two attempts', async () => {
  const server = await scriptedServer(drop, answer(200))
  const fetch = createFetch({ ...quick, onRetry: patch })
  expect((await fetch(order(server.url))).status).toBe(200)
  expect(server.seen.map(({ body }) => body.toString())).toEqual(['a violin', 'a violin'])
})

// A bug: each attempt failed, and the call ended without an answer.
test('a Request that a polyfill refuses once its body was read is sent by its URL', async () => {
  class Polyfill extends Request {
    constructor(input: Given[0], init?: RequestInit) {
      if (input instanceof Request && input.bodyUsed) throw new TypeError('Already read')
      super(input, init)
    }
  }
  const server = await scriptedServer(drop, answer(200))
  vi.stubGlobal('Request', Polyfill)
  vi.stubGlobal('fetch', (...given: Given) => nodes(new Polyfill(...given)))
  expect((await createFetch(quick)(order(server.url))).status).toBe(200)
  expect(server.seen.map(({ body }) => body.toString())).toEqual(['a violin', 'a violin'])
})
