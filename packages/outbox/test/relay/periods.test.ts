import type { EventLog } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { gate, logOf, quick, turns } from './quick-relay.ts'

type Call = 'subscribe' | 'want' | 'lease' | 'takeDue' | 'read' | 'advance' | 'release'
const CALLS: Call[] = ['subscribe', 'want', 'lease', 'takeDue', 'read', 'advance', 'release']

/**
 * A log that carries out the first call of one kind and answers it only when told to. Notes which
 * calls begin.
 */
function slowLog(log: EventLog<any>, which: Call) {
  const begun: Call[] = []
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  let isHeld = false
  const watched = (call: Call) => async (request: any) => {
    begun.push(call)
    const isFirst = call === which && !isHeld
    isHeld ||= isFirst
    const done = await (log[call] as (request: any) => Promise<any>)(request)
    if (isFirst) await answered
    return done
  }
  const calls = Object.fromEntries(CALLS.map((call) => [call, watched(call)]))
  return { slow: { ...log, ...calls } as EventLog<any>, begun, answer, isHeld: () => isHeld }
}

describe('a stop', () => {
  // Bugs: a stop that met the first lease of a round, or a renewal of its, was over before the
  // answer, and the slots were given back by a relay that had stopped.
  test.each(['subscribe', 'want', 'lease', 'takeDue', 'read'] as const)(
    'that meets a round in its %s waits for that, and no slot stays taken',
    async (which) => {
      const { log, emit } = logOf()
      const { slow, begun, answer, isHeld } = slowLog(log, which)
      const name = 'a'
      const hung = consumer({ name, handle: () => new Promise(() => {}) })
      const running = createRelay({ ...quick, log: slow, consumers: [hung] })
      await emit('one')
      const round = running.runOnce()
      await waitFor(isHeld, { what: `the ${which}` })
      let isOver = false
      const stopping = running.stop({ timeoutMs: 200 }).then(() => {
        isOver = true
      })
      await turns()
      expect(isOver).toBe(false)
      answer()
      await stopping
      const before = begun.length
      await round
      await turns()
      expect(begun.slice(before)).toEqual([])
      await log.subscribe({ consumer: name, types: null, startAt: 'beginning' })
      const next = { consumer: name, relay: 'next', leaseMs: 60_000, holding: [] }
      const { taken } = await log.lease(next)
      expect(taken.filter(({ crashes }) => crashes === 0)).toHaveLength(64)
    },
  )

  // A bug: a relay whose stop was over asked for slots, as one that may take some.
  test.each(['subscribe', 'want'] as const)(
    'that was over before the log answered a %s is followed by no lease',
    async (which) => {
      const { log } = logOf()
      const { slow, begun, answer, isHeld } = slowLog(log, which)
      const running = createRelay({
        ...quick,
        log: slow,
        consumers: [consumer({ name: 'a', handle() {} })],
      })
      const round = running.runOnce()
      await waitFor(isHeld, { what: `the ${which}` })
      await running.stop({ timeoutMs: 0 })
      answer()
      expect(await round).toBe(0)
      expect(begun).not.toContain('lease')
    },
  )

  // A bug: a round that had been stopped carried a portion of a redrive, or failed with the pool
  // that was ended by then.
  test.each(['answers', 'fails'])(
    'ends a round whose question about pauses %s later',
    async (how) => {
      const { log } = logOf()
      const answered = gate()
      let asked = false
      let carried = 0
      const slow: EventLog<any> = {
        ...log,
        control: {
          ...log.control,
          async paused() {
            asked = true
            await answered.opened
            if (how === 'fails') throw new Error('Cannot use a pool after calling end on the pool')
            return []
          },
        },
        deadLetters: {
          ...log.deadLetters,
          redrives: {
            ...log.deadLetters.redrives,
            async carry() {
              carried += 1
              return { redriven: 0, nextInMs: null }
            },
          } as NonNullable<typeof log.deadLetters.redrives>,
        },
      }
      const running = createRelay({
        ...quick,
        log: slow,
        consumers: [consumer({ name: 'a', handle() {} })],
      })
      const round = running.runOnce()
      await waitFor(() => asked, { what: 'the question' })
      await running.stop()
      answered.open()
      expect(await round).toBe(0)
      expect(carried).toBe(0)
    },
  )
})

// A bug: a round that a stop had met failed with the pool that was ended after the stop.
test('a round that a stop met does not fail with what it asks after that', async () => {
  const { log, emit } = logOf()
  const answered = gate()
  let asked = false
  const slow: EventLog<any> = {
    ...log,
    async advance() {
      asked = true
      await answered.opened
      throw new Error('Cannot use a pool after calling end on the pool')
    },
  }
  const consumers = [consumer({ name: 'a', handle() {} })]
  const running = createRelay({ ...quick, log: slow, consumers })
  await emit('one')
  const round = running.runOnce()
  await waitFor(() => asked, { what: 'the write' })
  await running.stop({ timeoutMs: 0 })
  answered.open()
  expect(await round).toBe(1)
})

// Bugs: what an earlier period of the relay had asked of the log was answered in the next. An old
// release took the running relay out of the shares, an old lease took its slots from it, an old
// claim gave it deliveries twice, and an old renewal kept the new loops from beginning.
describe.each(['start()', 'runOnce()'] as const)('%s after a stop', (how) => {
  test.each(['lease', 'takeDue', 'read', 'advance', 'release'] as const)(
    'waits until the log has answered a %s of the time before it',
    async (which) => {
      const { log, emit } = logOf()
      const { slow, begun, answer, isHeld } = slowLog(log, which)
      const seen: string[] = []
      const handler = consumer({
        name: 'a',
        handle({ event }) {
          seen.push(event.subject ?? '')
        },
      })
      const running = createRelay({ ...quick, leaseMs: 10_000, log: slow, consumers: [handler] })
      await emit('one')
      running.start()
      if (which === 'release') await waitFor(() => seen.length > 0, { what: 'the event' })
      else await waitFor(isHeld, { what: `the ${which}` })
      await running.stop({ timeoutMs: 0 })
      expect(isHeld()).toBe(true)
      const before = begun.length
      await emit('two')
      const round = how === 'start()' ? running.start() : running.runOnce()
      await turns()
      const inVain = begun.slice(before)
      answer()
      await round
      await waitFor(() => seen.includes('two'), { what: 'the event after the stop' })
      expect(inVain).not.toContain('lease')
      await running.stop()
      expect((await log.lag('a')).events).toBe(0)
    },
  )
})

test('runOnce() fails if the log does not answer what was asked before the stop', async () => {
  const { log } = logOf()
  const { slow, answer, isHeld } = slowLog(log, 'release')
  const running = createRelay({
    ...quick,
    leaseMs: 300,
    log: slow,
    consumers: [consumer({ name: 'a', handle() {} })],
  })
  await running.runOnce()
  await running.stop({ timeoutMs: 0 })
  expect(isHeld()).toBe(true)
  await expect(running.runOnce()).rejects.toMatchObject({ code: 'store-unavailable' })
  answer()
  expect(await running.runOnce()).toBe(0)
  await running.stop()
})

// Bugs: runOnce() failed with the first of its rounds while others went on, and the next call ran
// beside them; a round failed with a write, and its leases ended while its attempts went on.
describe('runOnce() that fails', () => {
  test('ends when the rounds of its other consumers have', async () => {
    const { log, emit } = logOf()
    const ended = gate()
    let failed = false
    const failing: EventLog<any> = {
      ...log,
      async read(request) {
        if (request.consumer === 'a' && !failed) {
          failed = true
          throw new Error('the read of a')
        }
        return await log.read(request)
      },
    }
    const seen: string[] = []
    const work = (name: string) =>
      consumer({
        name,
        ordered: true,
        async handle({ event }) {
          seen.push(`${name} ${event.subject}`)
          await ended.opened
        },
      })
    await emit('one')
    const running = createRelay({ ...quick, log: failing, consumers: [work('a'), work('b')] })
    const first = running.runOnce()
    first.catch(() => {})
    await waitFor(() => failed && seen.length > 0, { what: 'a to fail and b to begin' })
    await turns()
    await expect(running.runOnce()).rejects.toThrow('runOnce() is under way')
    ended.open()
    await expect(first).rejects.toThrow('the read of a')
    expect(await running.runOnce()).toBe(1)
    expect(seen.sort()).toEqual(['a one', 'b one'])
    await running.stop()
  })

  test('ends when its attempts have', async () => {
    const { log, emit } = logOf()
    const ended = gate()
    let failed = false
    const failing: EventLog<any> = {
      ...log,
      async advance(request) {
        if (!failed) {
          failed = true
          throw new Error('the write')
        }
        return await log.advance(request)
      },
    }
    const slow = consumer({
      name: 'a',
      concurrency: 2,
      handle: ({ event }) => (event.subject === 'slow' ? ended.opened : undefined),
    })
    const running = createRelay({ ...quick, log: failing, consumers: [slow] })
    await emit('quick', 'slow')
    const first = running.runOnce()
    first.catch(() => {})
    await waitFor(() => failed, { what: 'a write to fail' })
    await turns()
    await expect(running.runOnce()).rejects.toThrow('runOnce() is under way')
    ended.open()
    await expect(first).rejects.toThrow('the write')
    await running.runOnce()
    expect((await log.lag('a')).events).toBe(0)
    await running.stop()
  })
})
