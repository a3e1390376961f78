import { memoryStore } from '@oncekey/core'
import { type AnswerOf, idempotency } from '@oncekey/web'
import { answerOf as answerOfNext } from '@oncekey/web/next'
import { describe, expect, test } from 'vitest'

/** What `redirect()` and `notFound()` of next/navigation throw. */
const nextError = (digest: string) => Object.assign(new Error(digest.split(';')[0]), { digest })

function shop(
  fail: (order: number) => unknown,
  mode: 'transaction' | 'lease' = 'transaction',
  answerOf?: AnswerOf<Request>,
) {
  const store = memoryStore({ mode })
  const once = idempotency({
    store,
    scope: 'dangerously-shared',
    ...(answerOf !== undefined && { answerOf }),
  })
  const runs = { count: 0 }
  const POST = once(async (request) => {
    runs.count += 1
    const tx = await once.of(request).transaction()
    tx.set('order', runs.count)
    throw fail(runs.count)
  })
  const ask = () =>
    POST(
      new Request('https://shop.example/orders', {
        method: 'POST',
        headers: { 'idempotency-key': 'k' },
        body: '{}',
      }),
    )
  return { ask, runs, store }
}

const replays = (answers: Response[]) =>
  answers.map(({ headers }) => headers.get('x-idempotency-replayed'))

const redirects: Record<string, (order: number) => unknown> = {
  'redirect() of Next.js': (order) => nextError(`NEXT_REDIRECT;replace;/orders/${order};307;`),
  'redirect() of Next.js, to a URL with semicolons': (order) =>
    nextError(`NEXT_REDIRECT;push;/orders/${order};a=1;b=2;303;`),
  'permanentRedirect() of Next.js': (order) =>
    nextError(`NEXT_REDIRECT;replace;/orders/${order};308;`),
  'a thrown Response': (order) =>
    new Response(null, { status: 303, headers: { location: `/orders/${order}` } }),
}

describe.each(['transaction', 'lease'] as const)('in %s mode', (mode) => {
  test.each(Object.entries(redirects))(
    '%s is a response: one run, its writes kept, replayed',
    async (_, fail) => {
      const { ask, runs, store } = shop(fail, mode)
      const answers = [await ask(), await ask(), await ask()]
      const [first] = answers
      expect(first?.status).toBeGreaterThanOrEqual(303)
      expect(first?.headers.get('location')).toMatch(/^\/orders\/1/)
      for (const { status, headers } of answers)
        expect([status, headers.get('location')]).toEqual([
          first?.status,
          first?.headers.get('location'),
        ])
      expect(replays(answers)).toEqual([null, 'true', 'true'])
      expect(runs.count).toBe(1)
      expect(store.data.get('order')).toBe(1)
    },
  )

  test.each([
    ['notFound()', 'NEXT_HTTP_ERROR_FALLBACK;404', 404],
    ['forbidden()', 'NEXT_HTTP_ERROR_FALLBACK;403', 403],
    ['notFound() of Next.js 14', 'NEXT_NOT_FOUND', 404],
  ])('%s is a refusal: its writes undone, replayed', async (_, digest, status) => {
    const { ask, runs, store } = shop(() => nextError(digest), mode)
    const answers = [await ask(), await ask()]
    expect(answers.map((answer) => answer.status)).toEqual([status, status])
    expect(replays(answers)).toEqual([null, 'true'])
    expect(runs.count).toBe(1)
    expect(store.data.size).toBe(0)
  })
})

test('unauthorized() leaves the key free, as every 401 does', async () => {
  const { ask, runs } = shop(() => nextError('NEXT_HTTP_ERROR_FALLBACK;401'))
  expect((await ask()).status).toBe(401)
  expect((await ask()).status).toBe(401)
  expect(runs.count).toBe(2)
})

test.each([
  ['an Error', new Error('failed')],
  ['undefined', undefined],
  ['a string', 'failed'],
  ['an error of Next.js that is no answer', nextError('DYNAMIC_SERVER_USAGE')],
  ['a redirect without a place to go', nextError('NEXT_REDIRECT;replace;;307;')],
  ['a status that is no refusal', nextError('NEXT_HTTP_ERROR_FALLBACK;200')],
])('%s is a failure: rethrown, and everything is undone', async (_, error) => {
  const { ask, runs, store } = shop(() => error)
  for (const run of [1, 2]) {
    await expect(ask()).rejects.toBe(error)
    expect(runs.count).toBe(run)
  }
  expect(store.data.size).toBe(0)
})

describe('answerOf', () => {
  class Gone extends Error {}

  test('decides which errors of the app are responses, and leaves the others alone', async () => {
    const answerOf: AnswerOf<Request> = async (error, request) =>
      error instanceof Gone
        ? Response.json({ gone: new URL(request.url).pathname }, { status: 410 })
        : undefined
    const gone = shop(() => new Gone(), 'transaction', answerOf)
    const answers = [await gone.ask(), await gone.ask()]
    expect(replays(answers)).toEqual([null, 'true'])
    for (const answer of answers) expect(await answer.json()).toEqual({ gone: '/orders' })
    expect(gone.runs.count).toBe(1)

    const other = shop(redirects['a thrown Response'] as () => unknown, 'transaction', answerOf)
    expect((await other.ask()).status).toBe(303)
  })

  test('that throws or returns something else fails the request and leaves the key free', async () => {
    for (const answerOf of [
      () => {
        throw new TypeError('broken answerOf')
      },
      () => 'text' as unknown as Response,
    ]) {
      const { ask, runs } = shop(() => new Error('failed'), 'transaction', answerOf)
      for (const run of [1, 2]) {
        await expect(ask()).rejects.toThrow(TypeError)
        expect(runs.count).toBe(run)
      }
    }
  })

  test('must be a function', () => {
    const answerOf = 'next' as unknown as AnswerOf<Request>
    expect(() =>
      idempotency({ store: memoryStore(), scope: 'dangerously-shared', answerOf }),
    ).toThrow('answerOf must be a function')
  })

  test('of @oncekey/web/next does the same for handlers wrapped in another way', () => {
    const { status, headers } = answerOfNext(
      nextError('NEXT_REDIRECT;replace;https://shop.example/;307;'),
    ) as Response
    expect([status, headers.get('location')]).toEqual([307, 'https://shop.example/'])
    expect(answerOfNext(null)).toBeUndefined()
  })
})
