import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordKeys } from '../../src/store/record/record-keys.ts'

test('all names of one key share one of 64 hash tags', () => {
  const tags = new Set<string>()
  for (let number = 0; number < 2_000; number += 1) {
    const { record, result, outbox } = recordKeys({
      namespace: 'http',
      scope: 'customer',
      key: `order-${number}`,
    })
    const own = [record, result, outbox].map((name) => name.match(/^oncekey:\{(\d+)\}:/)?.[1])
    expect(new Set(own).size).toBe(1)
    tags.add(own[0] ?? '')
  }
  expect(tags.size).toBe(64)
})

test('a record can be found by what its client sent', () => {
  const { record } = recordKeys({ namespace: 'http', scope: 'customer 1', key: 'order-1' })
  expect(record).toMatch(/^oncekey:\{\d+\}:key:4:10:http:customer 1:order-1$/)
})

test('different keys never have the same name', () => {
  const part = fc.string({ unit: fc.constantFrom('1', ':', 'a', '{', '}'), maxLength: 6 })
  const key = fc.record({ namespace: part, scope: part, key: part })
  fc.assert(
    fc.property(key, key, (one, two) => {
      const same = JSON.stringify(one) === JSON.stringify(two)
      expect(recordKeys(one).record === recordKeys(two).record).toBe(same)
    }),
    { numRuns: 5_000 },
  )
})

test('names do not change between releases', () => {
  expect(recordKeys({ namespace: 'http', scope: 'customer-1', key: 'order-1' })).toEqual({
    id: '4:10:http:customer-1:order-1',
    record: 'oncekey:{36}:key:4:10:http:customer-1:order-1',
    result: 'oncekey:{36}:result:4:10:http:customer-1:order-1',
    outbox: 'oncekey:{36}:outbox',
    operations: 'oncekey:{36}:operations',
  })
})
