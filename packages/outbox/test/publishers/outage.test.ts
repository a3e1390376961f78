import { OncekeyError } from '@oncekey/core'
import { expect, test } from 'vitest'
import { outageGate } from '../../src/publishers/outage.ts'

const never = () => new AbortController().signal

function gateOf(options: Partial<Parameters<typeof outageGate>[0]> = {}) {
  return outageGate({
    name: 'broker',
    backoff: () => 1,
    waitMs: 60_000,
    isPermanent: (error) => error === 'permanent',
    destinationFailureOf: (error) =>
      error === 'missing' || error === 'refused' ? error : undefined,
    concurrencyLimit: 10_000,
    ...options,
  })
}

/**
 * A broker that is down until `up` is set. Records the largest number of sends that tried it at
 * once.
 */
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

test('after a failure one send at a time probes, and a success releases all in order', async () => {
  const gate = gateOf()
  const broker = fallible()
  await expect(gate.pass('a', never(), broker.send)).rejects.toThrow('down')
  const order: number[] = []
  const outcomes = Promise.allSettled(
    Array.from({ length: 50 }, (_, at) =>
      gate.pass('a', never(), async () => {
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

test('the number of probes during an outage does not grow with the number of waiting sends', async () => {
  const gate = gateOf({ backoff: (failures) => failures * 20, waitMs: 200 })
  const broker = fallible()
  await expect(gate.pass('a', never(), broker.send)).rejects.toThrow('down')
  const settled = await Promise.allSettled(
    Array.from({ length: 500 }, () => gate.pass('a', never(), broker.send)),
  )
  expect(settled.every(({ status }) => status === 'rejected')).toBe(true)
  expect(broker.most).toBe(1)
  expect(broker.tries).toBeLessThan(15)
  const last = settled.at(-1) as PromiseRejectedResult
  expect(last.reason.message).toMatch(/waited 200 ms for its broker/)
  expect(last.reason.cause.message).toBe('down')
})

test('a failure that concerns one event holds up no other send', async () => {
  const gate = gateOf()
  await expect(gate.pass('a', never(), () => Promise.reject('permanent'))).rejects.toBe('permanent')
  let tried = false
  const second = gate.pass('a', never(), async () => {
    tried = true
  })
  expect(tried).toBe(true)
  await second
})

test('a probe whose event is permanently refused lets the next send probe', async () => {
  const gate = gateOf()
  await expect(gate.pass('a', never(), () => Promise.reject('down'))).rejects.toBe('down')
  const first = gate.pass('a', never(), () => Promise.reject('permanent'))
  const second = gate.pass('a', never(), async () => {})
  await expect(first).rejects.toBe('permanent')
  await second
})

test('a send that is aborted while it waits or while the client does not answer rejects with the abort reason', async () => {
  const gate = gateOf()
  const stuck = new AbortController()
  const sending = gate.pass('a', stuck.signal, () => new Promise(() => {}))
  stuck.abort('too slow')
  await expect(sending).rejects.toBe('too slow')

  const leaving = new AbortController()
  const waiting = gate.pass('a', leaving.signal, async () => {})
  const next = gate.pass('a', never(), async () => {})
  leaving.abort('stopped')
  await expect(waiting).rejects.toBe('stopped')
  await next
})

test('a destination that fails while others succeed holds up none of them', async () => {
  // If a send waited for the second pause, which is endless, it would never end.
  const gate = gateOf({ backoff: (failures) => (failures === 1 ? 1 : 60_000) })
  const refused = () => Promise.reject('no permission')
  await expect(gate.pass('bad', never(), refused)).rejects.toBe('no permission')
  const others = Promise.allSettled([
    gate.pass('bad', never(), refused),
    gate.pass('bad', never(), refused),
  ])
  await gate.pass('good', never(), async () => {})
  expect((await others).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  for (let n = 0; n < 20; n += 1) {
    let tried = false
    const bad = gate.pass('bad', never(), async () => {
      tried = true
    })
    await expect(bad).rejects.toThrow('Publisher "broker" does not try "bad" just now')
    expect(tried).toBe(false)
    await gate.pass('good', never(), async () => {})
  }
})

test('a destination that is apart gets one send at a time until one succeeds', async () => {
  const gate = gateOf()
  let isRefused = true
  let tries = 0
  const send = async () => {
    tries += 1
    if (isRefused) throw 'no permission'
  }
  const good = () => gate.pass('good', never(), async () => {})
  const bad = () => gate.pass('bad', never(), send)
  await good()
  while (!(await said(bad())).startsWith('PostponedError')) await good()
  isRefused = false
  while ((await said(bad())) !== 'done');
  tries = 0
  await Promise.all(Array.from({ length: 10 }, bad))
  expect(tries).toBe(10)
})

test('an outage of the broker also holds up a destination that was apart', async () => {
  const gate = gateOf({ backoff: () => 60_000, waitMs: 20 })
  await gate.pass('good', never(), async () => {})
  let fail = (_: string): void => {}
  const bad = gate.pass('bad', never(), () => new Promise((_, reject) => (fail = reject)))
  await gate.pass('good', never(), async () => {})
  fail('no leader')
  await expect(bad).rejects.toBe('no leader')
  await expect(gate.pass('good', never(), () => Promise.reject('down'))).rejects.toBe('down')
  await expect(gate.pass('bad', never(), async () => {})).rejects.toThrow(/waited 20 ms/)
})

test('waiting sends that fill the concurrency limit are put off for those behind them, ever more rarely', async () => {
  const gate = gateOf({ concurrencyLimit: 5 })
  let failures = 0
  const send = () => {
    failures += 1
    return Promise.reject(new Error('full'))
  }
  const putOff: number[] = []
  let at = 0
  // As in a relay, the next send begins when one ends.
  const next = async (): Promise<void> => {
    while (failures < 40) {
      at += 1
      const outcome = await said(gate.pass(`subject-${at}`, never(), send))
      if (outcome.startsWith('PostponedError')) putOff.push(failures)
    }
  }
  await Promise.all(Array.from({ length: 5 }, next))
  const rounds = new Set(putOff).size
  expect(rounds).toBeGreaterThan(1)
  expect(rounds).toBeLessThan(12)
})

async function said(outcome: Promise<void>): Promise<string> {
  return outcome.then(
    () => 'done',
    (error) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
  )
}

/**
 * As in a relay, the next send begins when one ends, and a send that is put off comes back when it
 * is due.
 */
async function relayed(
  gate: ReturnType<typeof gateOf>,
  of: {
    readonly concurrencyLimit: number
    readonly to: readonly string[]
    readonly send: (to: string) => Promise<unknown>
    readonly until: (done: readonly string[]) => boolean
  },
): Promise<string[]> {
  const queue = [...of.to]
  const done: string[] = []
  const next = async (): Promise<void> => {
    while (!of.until(done)) {
      const to = queue.shift()
      if (to === undefined) await new Promise((resolve) => setTimeout(resolve, 1))
      else {
        const outcome = await gate
          .pass(to, never(), () => of.send(to))
          .catch((error: { readonly delayMs?: number }) => error)
        if (outcome === undefined) done.push(to)
        else setTimeout(() => queue.push(to), outcome.delayMs ?? 20)
      }
    }
  }
  await Promise.all(Array.from({ length: of.concurrencyLimit }, next))
  return done
}

const failingAlone = Array.from({ length: 250 }, (_, at) => `bad-${at}`)
const fine = Array.from({ length: 1_000 }, (_, at) => `good-${at % 500}`)

test('more failing destinations than the concurrency limit hold up the events behind them only briefly', async () => {
  let tries = 0
  const gate = gateOf({ concurrencyLimit: 100, backoff: () => 50 })
  const done = await relayed(gate, {
    concurrencyLimit: 100,
    to: [...failingAlone, ...fine],
    send: async (to) => {
      if (to.startsWith('good')) return
      tries += 1
      throw new Error('full')
    },
    until: (all) => all.length === fine.length,
  })
  expect(done).toHaveLength(fine.length)
  // About as many rounds as it takes to try all of them once, not one round for each.
  expect(tries).toBeLessThan(5_000)
})

test('a destination that the broker refuses holds up no other, even at its first failure', async () => {
  const gate = gateOf({ backoff: () => 60_000 })
  await gate.pass('good', never(), async () => {})
  await expect(gate.pass('full', never(), () => Promise.reject('refused'))).rejects.toBe('refused')
  await expect(gate.pass('full', never(), async () => {})).rejects.toThrow(/does not try "full"/)
  await gate.pass('good', never(), async () => {})
  await gate.pass('new', never(), async () => {})
})

test('a missing destination is not an outage, even if nothing has ever succeeded', async () => {
  const gate = gateOf({ backoff: () => 60_000 })
  for (let n = 0; n < 20; n += 1) {
    const to = `nobody-${n}`
    await expect(gate.pass(to, never(), () => Promise.reject('missing'))).rejects.toBe('missing')
  }
  await gate.pass('good', never(), async () => {})
})

test('events for the only destination, which refuses everything, wait and are not filed', async () => {
  const gate = gateOf({ backoff: () => 60_000, waitMs: 20 })
  await expect(gate.pass('full', never(), () => Promise.reject('refused'))).rejects.toBe('refused')
  await expect(gate.pass('full', never(), async () => {})).rejects.toThrow(/waited 20 ms/)
})

test('after a failure, the first send to another destination probes at once', async () => {
  const gate = gateOf({ backoff: () => 60_000 })
  await expect(gate.pass('bad', never(), () => Promise.reject('down'))).rejects.toBe('down')
  await gate.pass('good', never(), async () => {})
})

// A bug: a relay that stopped while the broker was slow left the gate closed, and the relay that
// was started after it sent nothing until a probe had got through.
test('a relay that ends a send says nothing about the broker', async () => {
  const gate = gateOf({ backoff: () => 60_000, waitMs: 20 })
  const stopping = new AbortController()
  const sending = gate.pass('a', stopping.signal, () => new Promise(() => {}))
  stopping.abort(new OncekeyError('lease-lost', 'The relay was stopped.'))
  await expect(sending).rejects.toThrow('stopped')
  await gate.pass('a', never(), async () => {})
})

test('a relay that ends a probe lets the next send probe', async () => {
  const gate = gateOf({ backoff: (failures) => (failures === 1 ? 1 : 60_000) })
  await expect(gate.pass('a', never(), () => Promise.reject('down'))).rejects.toBe('down')
  const stopping = new AbortController()
  let begun = (): void => {}
  const isBegun = new Promise<void>((resolve) => (begun = resolve))
  const probe = gate.pass('a', stopping.signal, () => {
    begun()
    return new Promise(() => {})
  })
  await isBegun
  stopping.abort(new OncekeyError('lease-lost', 'The relay was stopped.'))
  await expect(probe).rejects.toThrow('stopped')
  await gate.pass('a', never(), async () => {})
})

test('the end of the time of an attempt counts as a failure of the broker', async () => {
  const gate = gateOf({ backoff: () => 60_000, waitMs: 20 })
  const late = new AbortController()
  const sending = gate.pass('a', late.signal, () => new Promise(() => {}))
  late.abort(new OncekeyError('delivery-timeout', 'too slow'))
  await expect(sending).rejects.toThrow('too slow')
  await expect(gate.pass('a', never(), async () => {})).rejects.toThrow(/waited 20 ms/)
})
