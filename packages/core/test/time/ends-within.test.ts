import { expect, test } from 'vitest'
import { endsWithin } from '../../src/time/durations.ts'

const never = new Promise(() => {})

test('a wait ends when its signal aborts, before or meanwhile', async () => {
  const gone = new AbortController()
  const waiting = endsWithin(never, 600_000, { signal: gone.signal })
  gone.abort()
  expect(await waiting).toBe(false)
  expect(await endsWithin(never, 600_000, { signal: gone.signal })).toBe(false)
})

test('a wait whose signal does not abort ends with the work', async () => {
  const { signal } = new AbortController()
  expect(await endsWithin(Promise.resolve(), 600_000, { signal })).toBe(true)
  await expect(endsWithin(Promise.reject(new Error('no')), 600_000, { signal })).rejects.toThrow()
})
