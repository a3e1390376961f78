import { createFetch, type FetchOptions, OptionsError } from '@oncekey/client'
import { expect, test, vi } from 'vitest'

const storage = { getItem: () => null, setItem: () => {}, removeItem: () => {} }

const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ methods: [] }, "write `methods: ['POST']`"],
  [{ methods: 'POST' }, "write `methods: ['POST']`"],
  [{ header: 'Idempotency Key' }, "such as 'Idempotency-Key'"],
  [{ keyFormat: 'hex' }, "'bare' or 'quoted'"],
  [{ makeKey: 'uuid' }, 'makeKey must be a function'],
  [{ maxAttempts: 0 }, 'positive whole number'],
  [{ maxAttempts: Number.POSITIVE_INFINITY }, 'positive whole number'],
  [{ attemptTimeoutMs: 0 }, 'whole number of milliseconds from 1'],
  [{ attemptTimeoutMs: 1.5 }, 'whole number of milliseconds'],
  [{ deadlineMs: 2 ** 31 }, '2_147_483_647'],
  [{ deadlineMs: '5s' }, 'whole number of milliseconds'],
  [{ baseDelayMs: -1 }, 'from 0'],
  [{ maxDelayMs: Number.NaN }, 'whole number of milliseconds'],
  [{ maxRetryAfterMs: -1 }, 'from 0'],
  [{ response: 'blob' }, "'buffer' or 'stream'"],
  [{ maxResponseBytes: 0 }, 'positive whole number'],
  [{ maxRequestBytes: 0.5 }, 'positive whole number'],
  [{ onRetry: {} }, 'onRetry must be a function'],
  [{ fetch: 'undici' }, 'fetch must be a function'],
  [{ pending: {} }, 'write `pending: { storage: localStorage }`'],
  [{ pending: { storage: {} } }, 'getItem, setItem and removeItem'],
  [{ pending: { storage, prefix: 7 } }, 'prefix must be a string'],
  [{ pending: { storage, expiresAfterMs: 0 } }, 'positive whole number'],
]

test.each(wrong)('%j is refused at construction with advice', (options, hint) => {
  const construct = () => createFetch(options as FetchOptions)
  expect(construct).toThrow(OptionsError)
  expect(construct).toThrow(hint)
})

test('pending keys are refused without crypto.subtle', () => {
  vi.stubGlobal('crypto', {})
  try {
    expect(() => createFetch({ pending: { storage } })).toThrow('secure contexts')
  } finally {
    vi.unstubAllGlobals()
  }
})

test('no option is needed', () => {
  expect(createFetch()).toBeTypeOf('function')
  expect(createFetch({})).toBeTypeOf('function')
})

test('an unknown response mode of a call is refused before anything is sent', async () => {
  const call = createFetch()('http://127.0.0.1:1/', { method: 'POST', response: 'x' as 'buffer' })
  await expect(call).rejects.toBeInstanceOf(OptionsError)
})
