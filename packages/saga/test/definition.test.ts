import { OptionsError } from '@oncekey/core'
import { createSagaRunner, saga } from '@oncekey/saga'
import { describe, expect, test } from 'vitest'

const run = () => 1
const compensate = () => {}
const flow = () => saga<null>('order', { version: 1 })
// Never queried: the options are refused first.
const client = { concurrency: 'many', poolSize: 2, begin() {}, query() {} } as never

describe('refuses an invalid saga where it is defined', () => {
  test.each([
    ['without a version', () => saga('order', {} as never), /\{ version: 1 \}/],
    ['with an invalid name', () => saga('my order', { version: 1 }), /"my order" is not a name/],
    ['with a step without run', () => flow().step('a', {} as never), /write \{ run: async/],
    ['with two steps of one name', () => flow().step('a', { run }).step('a', { run }), /another/],
    [
      'with a pivot that compensates',
      () => flow().step('a', { kind: 'pivot', run, compensate }),
      /only goes forward from its pivot, so compensate would never be called/,
    ],
    [
      'with a compensatable step after the pivot',
      () => flow().step('a', { kind: 'pivot', run }).step('b', { run }),
      /Write kind: 'retriable'/,
    ],
    [
      'with two pivots',
      () => flow().step('a', { kind: 'pivot', run }).step('b', { kind: 'pivot', run }),
      /follows the pivot step "a"/,
    ],
    ['with an unknown kind', () => flow().step('a', { kind: 'x' as never, run }), /kind is/],
    [
      'with maxAttempts 0',
      () => flow().step('a', { run, retry: { maxAttempts: 0 } }),
      /retry\.maxAttempts: 0 is not a whole number from 1/,
    ],
    ['with timeoutMs 0', () => flow().step('a', { run, timeoutMs: 0 }), /timeoutMs is not/],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(message)
  })
})

describe('refuses an invalid runner', () => {
  const order = flow().step('a', { run })
  test.each([
    ['without sagas', () => createSagaRunner({ client, sagas: [] }), /write `sagas: \[order\]`/],
    ['with an empty saga', () => createSagaRunner({ client, sagas: [flow()] }), /has no steps/],
    [
      'with two sagas of one name and version',
      () => createSagaRunner({ client, sagas: [order, flow().step('b', { run })] }),
      /two of "order" version 1\. Raise the version/,
    ],
    [
      'with leaseMs 0',
      () => createSagaRunner({ client, sagas: [order], leaseMs: 0 }),
      /leaseMs must be a whole number/,
    ],
    [
      // It was taken as 2 without a word.
      'with maxLost 1',
      () => createSagaRunner({ client, sagas: [order], maxLost: 1 }),
      /maxLost: write at least 2\. .* nobody knows which of its runs/,
    ],
    ['without a client', () => createSagaRunner({ sagas: [order] } as never), /not a client/],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(message)
  })

  test('refuses to execute a saga that was not registered', async () => {
    const sagas = createSagaRunner({ client, sagas: [order] })
    const other = saga<null>('other', { version: 1 }).step('a', { run })
    await expect(sagas.execute(other, { id: 'x', input: null })).rejects.toThrow(/list it in/)
  })

  test.each(['', 'ü', 'x'.repeat(256), 7 as never])('refuses the invalid id %j', async (id) => {
    const sagas = createSagaRunner({ client, sagas: [order] })
    await expect(sagas.execute(order, { id, input: null })).rejects.toThrow(/1 to 255 printable/)
  })
})
