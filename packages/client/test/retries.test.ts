import { runInNewContext } from 'node:vm'
import { createFetch, keyOf, type RetryEvent } from '@oncekey/client'
import { expect, test } from 'vitest'
import { answer, cut, drop, problem, type Step, scriptedServer, stall } from './scripted-server.ts'

const quick = { baseDelayMs: 1, maxDelayMs: 2 }
const post = { method: 'POST', body: '{"item":"violin"}' }

const retried: readonly (readonly [string, Step])[] = [
  ['a dropped connection', drop],
  ['a body that is cut', cut],
  ['a server that says nothing', stall],
  ['408', answer(408)],
  ['409 in-progress', problem(409, 'in-progress', 'same-key')],
  ['409 of a foreign server with Retry-After', answer(409, '', { 'retry-after': '0' })],
  [
    '409 of Stripe for a key in use',
    answer(409, '{"error":{"code":"idempotency_key_in_use"}}', {
      'content-type': 'application/json',
    }),
  ],
  ['423', answer(423)],
  ['425', answer(425)],
  ['400 with Stripe-Should-Retry: true', answer(400, '', { 'stripe-should-retry': 'true' })],
  ['404 with x-should-retry: true', answer(404, '', { 'x-should-retry': 'true' })],
  ['429', answer(429)],
  ['500', answer(500)],
  ['500 with a page instead of a problem', answer(500, '<h1>', { 'content-type': 'text/html' })],
  ['502', answer(502)],
  ['503', answer(503)],
  ['503 with the advice to keep the key', problem(503, 'commit-failed', 'same-key')],
  ['503 with a problem that is not JSON', problemBytes(503, '{')],
  ['503 with a problem that is not an object', problemBytes(503, 'null')],
  ['504', answer(504)],
  ['in-progress with the status 400', problem(400, 'in-progress', 'same-key')],
  ['in-progress with the status 200', problem(200, 'in-progress', 'same-key')],
  ['commit-failed with the status 424', problem(424, 'commit-failed', 'same-key')],
  ['520', answer(520)],
]

test.each(retried)('%s is tried again, with the same key and the same bytes', async (_, step) => {
  const server = await scriptedServer(step, step, answer(201, 'order 1'))
  const fetch = createFetch({ ...quick, attemptTimeoutMs: step === stall ? 300 : 10_000 })

  const response = await fetch(`${server.url}/orders`, post)

  expect(response.status).toBe(201)
  expect(await response.text()).toBe('order 1')
  expect(server.seen.length).toBe(3)
  expect(new Set(server.keys()).size).toBe(1)
  for (const { method, url, body } of server.seen) {
    expect({ method, url, body: body.toString() }).toEqual({ ...post, url: '/orders' })
  }
})

const replayed = { 'x-idempotency-replayed': 'true' }

const handedOver: readonly (readonly [string, Step, number])[] = [
  ['201', answer(201), 201],
  ['303', answer(303), 303],
  ['304', answer(304), 304],
  ['400', answer(400), 400],
  ['401', answer(401), 401],
  ['404', answer(404), 404],
  ['409 of the handler', answer(409), 409],
  ['409 with another problem', problem(409, 'sold-out', 'whatever'), 409],
  ['409 outcome-unknown', problem(409, 'outcome-unknown', 'never'), 409],
  ['500 with Stripe-Should-Retry: false', answer(500, '', { 'stripe-should-retry': 'false' }), 500],
  ['503 with x-should-retry: false', answer(503, '', { 'x-should-retry': 'false' }), 503],
  [
    '409 of an API of JSON',
    answer(409, '{"error":{"code":"sold_out"}}', { 'content-type': 'application/json' }),
    409,
  ],
  ['410 result-gone', problem(410, 'result-gone', 'never'), 410],
  ['422 key-reused', problem(422, 'key-reused', 'new-key'), 422],
  ['500 that advises never', problem(500, 'response-too-large', 'never'), 500],
  ['a replay of 409 with Retry-After', answer(409, '', { ...replayed, 'retry-after': '0' }), 409],
  ['a replay of 503', answer(503, '', replayed), 503],
  ['a replay of 500 by Stripe', answer(500, '', { 'idempotent-replayed': 'true' }), 500],
  ['503 that advises a new key', problem(503, 'moved', 'new-key'), 503],
]

test.each(handedOver)('%s is handed over at once', async (_, step, status) => {
  const server = await scriptedServer(step)
  const response = await createFetch(quick)(server.url, { ...post, redirect: 'manual' })
  expect(response.status).toBe(status)
  expect(server.seen.length).toBe(1)
})

test('in-progress with another status is not counted by maxAttempts', async () => {
  const running = problem(503, 'in-progress', 'same-key')
  const server = await scriptedServer(running, running, running, answer(201))
  expect((await createFetch({ ...quick, maxAttempts: 2 })(server.url, post)).status).toBe(201)
})

test('a problem with a good status is no answer, also where answers are streamed', async () => {
  const server = await scriptedServer(problem(200, 'in-progress', 'same-key'), answer(201))
  expect((await createFetch({ ...quick, response: 'stream' })(server.url, post)).status).toBe(201)
})

test('shouldRetry decides before the rules, and leaves the rest to them', async () => {
  const asked: unknown[] = []
  const fetch = createFetch({
    ...quick,
    shouldRetry({ response, error, attempt }) {
      asked.push([response?.status, error instanceof Error, attempt])
      if (response?.status === 404) return true
      return response?.status === 502 ? false : undefined
    },
  })
  const server = await scriptedServer(answer(404), answer(500), drop, answer(502))
  expect((await fetch(server.url, post)).status).toBe(502)
  expect(new Set(server.keys()).size).toBe(1)
  expect(asked).toEqual([
    [404, false, 1],
    [500, false, 2],
    [undefined, true, 3],
    [502, false, 4],
  ])
})

const rejectsElsewhere = () => runInNewContext("Promise.reject(new Error('no'))")

test.each<[string, () => unknown]>([
  ['a promise', async () => true],
  ['a promise that rejects', () => Promise.reject(new Error('no'))],
  // A bug: its rejection ended the process.
  ['a promise of another realm that rejects', rejectsElsewhere],
  ['null', () => null],
  ['a word', () => 'yes'],
])('shouldRetry that answers %s leaves it to the rules', async (_, shouldRetry) => {
  const server = await scriptedServer(answer(503), answer(201, 'order 1'), answer(500))
  const fetch = createFetch({ ...quick, shouldRetry: shouldRetry as () => undefined })
  expect((await fetch(`${server.url}/orders`, post)).status).toBe(201)
  expect(server.seen.length).toBe(2)
})

test.each([
  ['this realm', () => Promise.reject(new Error('no log'))],
  ['another realm', rejectsElsewhere],
])('an onRetry that rejects later has no effect: a promise of %s', async (_, onRetry) => {
  const server = await scriptedServer(answer(503), answer(201, 'order 1'))
  const fetch = createFetch({ ...quick, onRetry })
  expect((await fetch(`${server.url}/orders`, post)).status).toBe(201)
})

test('shouldRetry may give up a lost attempt, and the error has its key', async () => {
  const server = await scriptedServer(drop)
  const fetch = createFetch({ ...quick, shouldRetry: () => false })
  const error = await fetch(server.url, post).catch((error) => error)
  expect(error).toMatchObject({ code: 'attempts-exhausted', attempts: 1, key: server.keys()[0] })
  expect(server.seen).toHaveLength(1)
})

test("a 409 with the draft's title is tried again, whoever the server is", async () => {
  const title = 'A request is outstanding for this Idempotency-Key'
  const server = await scriptedServer(problemBytes(409, JSON.stringify({ title })), answer(201))
  expect((await createFetch(quick)(server.url, post)).status).toBe(201)
})

test('calls have different keys, however many run at once, and each keeps its own', async () => {
  const failedOnce = new Set<string>()
  const server = await scriptedServer((response, { key, body }) => {
    const fails = !failedOnce.has(key ?? '')
    failedOnce.add(key ?? '')
    if (fails) drop(response)
    else answer(201, `${key} ${body}`)(response)
  })
  const fetch = createFetch(quick)

  const calls = Array.from({ length: 60 }, async (_, number) => {
    const response = await fetch(server.url, { method: 'POST', body: `order ${number}` })
    return [await response.text(), `${keyOf(response)} order ${number}`]
  })

  for (const [got, expected] of await Promise.all(calls)) expect(got).toBe(expected)
  expect(failedOnce.size).toBe(60)
  expect(server.seen.length).toBe(120)
})

test('a server that cannot be reached ends the call with the key to ask again with', async () => {
  const fetch = createFetch({ ...quick, maxAttempts: 3, makeKey: () => 'k1' })
  await expect(fetch('http://127.0.0.1:1/', post)).rejects.toMatchObject({
    name: 'RetryError',
    code: 'attempts-exhausted',
    attempts: 3,
    key: 'k1',
    cause: { name: 'TypeError' },
  })
})

test('the last answer is returned unchanged with its key when no attempt is left', async () => {
  const server = await scriptedServer(drop, answer(503, 'down'))
  const response = await createFetch({ ...quick, maxAttempts: 3 })(server.url, post)
  expect(response.status).toBe(503)
  expect(await response.text()).toBe('down')
  expect(keyOf(response)).toBe(server.seen[0]?.key)
  expect(server.seen.length).toBe(3)
})

test('waiting for an earlier attempt does not use attempts up', async () => {
  const busy = problem(409, 'in-progress', 'same-key')
  const server = await scriptedServer(busy, busy, busy, drop, busy, busy, answer(201))
  const response = await createFetch({ ...quick, maxAttempts: 2 })(server.url, post)
  expect(response.status).toBe(201)
  expect(server.seen.length).toBe(7)
})

test('onRetry receives each failed attempt and the reason', async () => {
  const server = await scriptedServer(
    drop,
    cut,
    answer(503),
    problem(409, 'in-progress', 'same-key'),
    answer(201),
  )
  const told: RetryEvent[] = []
  const fetch = createFetch({ ...quick, random: () => 0.5, onRetry: (event) => told.push(event) })

  const key = keyOf(await fetch(server.url, post))

  const delayMs = 1
  expect(told).toMatchObject([
    { attempt: 1, delayMs, key, reason: 'network-error', error: { name: 'TypeError' } },
    { attempt: 2, delayMs, key, reason: 'body-lost', error: { name: 'TypeError' } },
    { attempt: 3, delayMs, key, reason: 'status', status: 503 },
    { attempt: 4, delayMs, key, reason: 'in-progress', status: 409 },
  ])
})

test('what onRetry throws ends the call', async () => {
  const server = await scriptedServer(drop)
  const stop = new Error('the user went offline')
  const fetch = createFetch({
    ...quick,
    onRetry: () => {
      throw stop
    },
  })
  await expect(fetch(server.url, post)).rejects.toBe(stop)
  expect(server.seen.length).toBe(1)
})

function problemBytes(status: number, body: string): Step {
  return answer(status, body, { 'content-type': 'application/problem+json; charset=utf-8' })
}
