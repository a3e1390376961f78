import { expect, test } from 'vitest'
import { waitFor } from '../src/index.ts'

test('returns the first truthy value', async () => {
  let asked = 0
  const value = await waitFor(() => ++asked === 3 && 'third', { what: 'the third', intervalMs: 1 })
  expect(value).toBe('third')
  expect(asked).toBe(3)
})

test('the error names what was awaited and the last error of the condition', async () => {
  const never = waitFor(() => Promise.reject(new Error('not there')), {
    what: 'the bus',
    timeoutMs: 20,
    intervalMs: 1,
  })
  await expect(never).rejects.toMatchObject({
    message: expect.stringMatching(/^Waited \d+ ms in vain for the bus$/),
    cause: { message: 'not there' },
  })
})
