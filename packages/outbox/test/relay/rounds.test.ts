import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { gate, logOf, quick } from './quick-relay.ts'

// Bugs: a round that began while a stop was under way called its consumers, recorded nothing and
// returned 0, because the stop took its slots. A stop during a round let another round begin beside
// it.
describe('a round beside a stop', () => {
  test('that begins before the stop is over waits for it', async () => {
    const { emit, log } = logOf()
    const [released, ended] = [gate(), gate()]
    let releasing = false
    const slow: typeof log = {
      ...log,
      async release(request) {
        if (!releasing && request.leaving) {
          releasing = true
          await released.opened
        }
        await log.release(request)
      },
    }
    const handler = consumer({ name: 'slow', handle: () => ended.opened })
    const running = createRelay({ ...quick, log: slow, consumers: [handler] })
    expect(await running.runOnce()).toBe(0)
    await emit('one')
    const stopping = running.stop()
    await waitFor(() => releasing, { what: 'the slots to be released' })
    const round = running.runOnce()
    expect(() => running.start()).toThrow('stop() is under way')
    await new Promise((resolve) => setImmediate(resolve))
    released.open()
    await stopping
    ended.open()
    expect(await round).toBe(1)
    expect((await log.lag('slow')).events).toBe(0)
    await running.stop()
  })

  test('that outlasts the stop keeps out another until it is over', async () => {
    const { emit, log } = logOf()
    const answered = gate()
    let asked = false
    const slow: typeof log = {
      ...log,
      async advance(request) {
        asked = true
        await answered.opened
        return await log.advance(request)
      },
    }
    const running = createRelay({
      ...quick,
      log: slow,
      consumers: [consumer({ name: 'a', handle() {} })],
    })
    await emit('one')
    const round = running.runOnce()
    await waitFor(() => asked, { what: 'a cursor to be moved' })
    await running.stop({ timeoutMs: 0 })
    await expect(running.runOnce()).rejects.toThrow('runOnce() is under way')
    answered.open()
    await round
    await running.runOnce()
    await running.stop()
  })

  // A bug: slots of a renewal that began during the stop and was answered after it stayed leased by
  // a relay that was gone.
  test('keeps no slot that its renewal takes after the stop', async () => {
    const { emit, log, relay } = logOf()
    const [answered, ended] = [gate(), gate()]
    let leases = 0
    const slow: typeof log = {
      ...log,
      async lease(request) {
        leases += 1
        if (leases > 1) await answered.opened
        return await log.lease(request)
      },
    }
    const name = 'a'
    const hung = consumer({ name, handle: () => ended.opened })
    const running = createRelay({ ...quick, log: slow, consumers: [hung] })
    await emit('one')
    const round = running.runOnce()
    await waitFor(() => leases === 1, { what: 'the round to begin' })
    const stopping = running.stop({ timeoutMs: 1_000 })
    await waitFor(() => leases === 2, { what: 'a renewal during the stop' })
    await stopping
    ended.open()
    answered.open()
    await round
    expect(await relay(consumer({ name, handle() {} })).runOnce()).toBe(1)
  })
})

// Bugs: a round that was still asking what is paused when the relay was stopped took its slots
// after the stop and kept them until their lease ended. If it took them before the stop was over,
// the stop took them away from it, and what it ran was run again.
test.each(['after', 'during'])('a round that begins %s a stop takes nothing', async (when) => {
  const { emit, log, relay } = logOf()
  const [answered, released] = [gate(), gate()]
  let releasing = false
  const slow: typeof log = {
    ...log,
    control: {
      ...log.control,
      async paused(consumers) {
        await answered.opened
        return await log.control.paused(consumers)
      },
    },
    async release(request) {
      releasing = true
      if (when === 'during') await released.opened
      await log.release(request)
    },
  }
  const name = 'a'
  const seen: string[] = []
  const handler = consumer({
    name,
    async handle({ event }) {
      seen.push(event.id)
      await new Promise((resolve) => setTimeout(resolve, 50))
    },
  })
  const running = createRelay({ ...quick, log: slow, consumers: [handler] })
  await emit('one')
  const round = running.runOnce()
  const stopping = running.stop()
  if (when === 'after') await stopping
  else await waitFor(() => releasing, { what: 'the slots to be released' })
  answered.open()
  await new Promise((resolve) => setTimeout(resolve, 20))
  released.open()
  await stopping
  expect(await round).toBe(0)
  expect(await relay(handler).runOnce()).toBe(1)
  expect(seen).toHaveLength(1)
})

// A bug: deliveries that were claimed after a stop had given back the others kept the start that
// was counted for them.
test('a stop gives back what its round is claiming', async () => {
  const { emit, log, relay } = logOf()
  const answered = gate()
  let claiming = false
  const slow: typeof log = {
    ...log,
    async takeDue(request) {
      const taken = await log.takeDue(request)
      claiming = true
      await answered.opened
      return taken
    },
  }
  const name = 'a'
  const failing = relay(
    consumer({
      name,
      backoff: () => 0,
      handle() {
        throw new Error('no')
      },
    }),
  )
  await emit('one')
  await failing.runOnce()
  await failing.stop()
  const hung = consumer({ name, handle: () => new Promise(() => {}) })
  const running = createRelay({ ...quick, log: slow, consumers: [hung] })
  const round = running.runOnce()
  await waitFor(() => claiming, { what: 'the delivery to be claimed' })
  const stopping = running.stop({ timeoutMs: 20 })
  await new Promise((resolve) => setTimeout(resolve, 50))
  answered.open()
  await Promise.all([stopping, round])
  const lease = { consumer: name, relay: 'next', leaseMs: 60_000, holding: [] }
  const { taken } = await log.lease(lease)
  const next = { consumer: name, slots: taken, except: [], limit: 1 }
  // Its own start and that of the attempt that failed.
  expect((await log.takeDue(next)).deliveries).toMatchObject([{ attempts: 1, starts: 2 }])
})

describe('runOnce()', () => {
  test('that takes longer than its lease delivers every event once and ends', async () => {
    const { emit, relay } = logOf()
    const seen: string[] = []
    const slow = consumer({
      name: 'slow',
      concurrency: 1,
      async handle({ event }) {
        seen.push(String(event.subject))
        await new Promise((resolve) => setTimeout(resolve, 250))
      },
    })
    await emit('one', 'two', 'three', 'four', 'five')
    const once = relay(slow)
    expect(await once.runOnce()).toBe(5)
    expect(await once.runOnce()).toBe(0)
    expect(seen.sort()).toEqual(['five', 'four', 'one', 'three', 'two'])
  })
})

// A bug: a round wrote its cursors only after it had read past all events of other types. A
// function with a time limit that was ended before began at the same place at each call, and never
// came to its own events.
test('a round moves the cursors while it reads past events of other types', async () => {
  const { emit, log } = logOf()
  let reads = 0
  let movedAfter: number | undefined
  const long: typeof log = {
    ...log,
    async read(request) {
      const page = await log.read(request)
      reads += 1
      await new Promise((resolve) => setTimeout(resolve, 1))
      return { ...page, more: reads < 500 && movedAfter === undefined }
    },
    async advance(request) {
      movedAfter ??= reads
      return await log.advance(request)
    },
  }
  const others = consumer({ name: 'others', types: ['invoice.paid'], handle() {} })
  const once = createRelay({ ...quick, log: long, consumers: [others] })
  await log.subscribe({ consumer: 'others', types: ['invoice.paid'], startAt: 'beginning' })
  await emit('one', 'two', 'three')
  expect(await once.runOnce()).toBe(0)
  await once.stop()
  expect(movedAfter).toBeLessThan(500)
})

// A bug: what a round had left in its queue, because its leases had ended, was waited for by the
// next one, which started nothing of it while the consumer was paused.
test('a round of a paused consumer ends although one before it has left events', async () => {
  const { emit, log } = logOf()
  const ended = gate()
  let isAway = false
  let leasedUntil = 0
  const failing: typeof log = {
    ...log,
    async lease(request) {
      if (isAway) throw new Error('The log is away.')
      leasedUntil = performance.now() + request.leaseMs
      return await log.lease(request)
    },
    async advance(request) {
      if (isAway) throw new Error('The log is away.')
      return await log.advance(request)
    },
  }
  const seen: unknown[] = []
  const name = 'a'
  const slow = consumer({
    name,
    concurrency: 1,
    async handle({ event }) {
      seen.push(event.subject)
      isAway = seen.length === 1
      await ended.opened
    },
  })
  const running = createRelay({ ...quick, leaseMs: 300, log: failing, consumers: [slow] })
  await emit('one', 'two')
  const first = running.runOnce()
  first.catch(() => {})
  await waitFor(() => isAway && performance.now() > leasedUntil, { what: 'the lease to end' })
  ended.open()
  await expect(first).rejects.toThrow('The log is away.')
  isAway = false
  const by = { actor: 'maria@shop.example', note: 'the bank is down' }
  await log.control.pause(name, by)
  expect(await running.runOnce()).toBe(0)
  expect(seen).toHaveLength(1)
  await log.control.resume(name, by)
  await running.runOnce()
  expect(seen.sort()).toEqual(['one', 'two'])
  await running.stop()
})
