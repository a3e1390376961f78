import { expect, test } from 'vitest'
import { outageGate } from '../src/outage.ts'

const never = () => new AbortController().signal

function gateOf(options: Partial<Parameters<typeof outageGate>[0]> = {}) {
  return outageGate({
    name: 'broker',
    backoff: () => 1,
    waitMs: 60_000,
    isPermanent: (error) => error === 'permanent',
    ...options,
  })
}

/** A broker that is down until told otherwise, and how many have tried it at once. */
function fallible() {
  const broker = {
    up: false,
    tries: 0,
    underWay: 0,
    most: 0,
    async send() {
      broker.tries += 1
      broker.underWay += 1
      broker.most = Math.max(broker.most, broker.underWay)
      await new Promise((resolve) => setTimeout(resolve, 1))
      broker.underWay -= 1
      if (!broker.up) throw new Error('down')
    },
  }
  return broker
}

test('after a failure one at a time tries, and a success lets all go, in order', async () => {
  const gate = gateOf()
  const broker = fallible()
  await expect(gate.pass(never(), broker.send)).rejects.toThrow('down')
  const order: number[] = []
  const outcomes = Promise.allSettled(
    Array.from({ length: 50 }, (_, at) =>
      gate.pass(never(), async () => {
        order.push(at)
        if (at === 5) broker.up = true
        await broker.send()
      }),
    ),
  )
  const settled = await outcomes
  expect(settled.map(({ status }) => status)).toEqual(
    settled.map((_, at) => (at < 5 ? 'rejected' : 'fulfilled')),
  )
  expect(order).toEqual(Array.from({ length: 50 }, (_, at) => at))
  expect(broker.tries).toBe(51)
})

test('while a broker is down the tries do not grow with those who wait', async () => {
  const gate = gateOf({ backoff: (failures) => failures * 20, waitMs: 200 })
  const broker = fallible()
  await expect(gate.pass(never(), broker.send)).rejects.toThrow('down')
  const settled = await Promise.allSettled(
    Array.from({ length: 500 }, () => gate.pass(never(), broker.send)),
  )
  expect(settled.every(({ status }) => status === 'rejected')).toBe(true)
  expect(broker.most).toBe(1)
  expect(broker.tries).toBeLessThan(15)
  const last = settled.at(-1) as PromiseRejectedResult
  expect(last.reason.message).toMatch(/waited 200 ms for its broker/)
  expect(last.reason.cause.message).toBe('down')
})

test('a failure that is about one event holds nobody up', async () => {
  const gate = gateOf()
  await expect(gate.pass(never(), () => Promise.reject('permanent'))).rejects.toBe('permanent')
  let tried = false
  const second = gate.pass(never(), async () => {
    tried = true
  })
  expect(tried).toBe(true)
  await second
})

test('a try that refuses one event for good hands the turn on', async () => {
  const gate = gateOf()
  await expect(gate.pass(never(), () => Promise.reject('down'))).rejects.toBe('down')
  const first = gate.pass(never(), () => Promise.reject('permanent'))
  const second = gate.pass(never(), async () => {})
  await expect(first).rejects.toBe('permanent')
  await second
})

test('whoever is ended while it waits, or while the client keeps its message, ends with that reason', async () => {
  const gate = gateOf()
  const stuck = new AbortController()
  const sending = gate.pass(stuck.signal, () => new Promise(() => {}))
  stuck.abort('too slow')
  await expect(sending).rejects.toBe('too slow')

  const leaving = new AbortController()
  const waiting = gate.pass(leaving.signal, async () => {})
  const next = gate.pass(never(), async () => {})
  leaving.abort('stopped')
  await expect(waiting).rejects.toBe('stopped')
  await next
})
