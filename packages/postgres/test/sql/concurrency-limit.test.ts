import { expect, test } from 'vitest'
import { concurrencyLimit } from '../../src/sql/concurrency-limit.ts'

const timeoutMs = 60_000

test('a permit that comes free goes to whoever holds the fewest, then to who waits longest', async () => {
  const limit = concurrencyLimit(2)
  const first = await limit.take({ timeoutMs, who: 'a' })
  const second = await limit.take({ timeoutMs, who: 'a' })
  const order: string[] = []
  const give: (() => void)[] = []
  for (const who of ['a', 'a', 'b', 'c', 'b']) {
    void limit.take({ timeoutMs, who }).then((permit) => {
      order.push(who)
      if (permit !== undefined) give.push(permit)
    })
  }
  first?.()
  second?.()
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise(setImmediate)
    give.shift()?.()
  }
  await new Promise(setImmediate)
  expect(order).toEqual(['b', 'a', 'c', 'a', 'b'])
})

test('who gives up waiting is passed over, and a permit that nobody waits for is free', async () => {
  const limit = concurrencyLimit(1)
  const held = limit.tryTake()
  expect(limit.tryTake()).toBeUndefined()
  const gone = new AbortController()
  const leaving = limit.take({ timeoutMs, who: 'a', signal: gone.signal })
  const next = limit.take({ timeoutMs, who: 'a' })
  gone.abort()
  expect(await leaving).toBeUndefined()
  held?.()
  held?.()
  const permit = await next
  expect(limit.tryTake()).toBeUndefined()
  permit?.()
  expect(limit.tryTake()).toBeDefined()
})
