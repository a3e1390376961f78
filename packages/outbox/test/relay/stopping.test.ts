import { SLOTS } from '@oncekey/core'
import { consumer, createRelay, deadLetterAlerts, deadLetters } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { logOf, quick } from './quick-relay.ts'

describe('a relay that is stopped', () => {
  test.each([Number.POSITIVE_INFINITY, 30 * 86_400_000])(
    'waits for the attempts under way, even for %s ms',
    async (timeoutMs) => {
      const { emit, relay } = logOf()
      let end = (): void => {}
      let aborted = false
      const running = relay(
        consumer({
          name: 'slow',
          handle({ signal }) {
            signal.addEventListener('abort', () => {
              aborted = true
            })
            return new Promise<void>((resolve) => {
              end = resolve
            })
          },
        }),
      )
      await emit('one')
      running.start()
      await waitFor(() => end.name === '', { what: 'the event to be under way' })
      let stopped = false
      const stopping = running.stop({ timeoutMs }).then(() => {
        stopped = true
      })
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect({ stopped, aborted }).toEqual({ stopped: false, aborted: false })
      end()
      await stopping
      expect(aborted).toBe(false)
    },
  )

  test('by one deploy after another gives back the deliveries it aborts, and none becomes poison', async () => {
    const { emit, relay, log } = logOf()
    await emit('one')
    let calls = 0
    let hangs = true
    const attempts: number[] = []
    const slow = consumer({
      name: 'slow',
      maxStarts: 1,
      backoff: () => 0,
      handle({ attempt }) {
        calls += 1
        attempts.push(attempt)
        if (calls === 1) throw new Error('no')
        return hangs ? new Promise(() => {}) : undefined
      },
    })
    for (let deploys = 0; deploys < 5; deploys += 1) {
      const before = calls
      const running = relay(slow)
      running.start()
      await waitFor(() => calls > before + (deploys === 0 ? 1 : 0), { what: 'a try' })
      await running.stop({ timeoutMs: 0 })
    }
    hangs = false
    const last = relay(slow)
    last.start()
    await waitFor(() => attempts.length > 6, { what: 'the last try' })
    await last.stop()
    expect(await deadLetters(log.deadLetters).list()).toMatchObject({ items: [] })
    expect(attempts.slice(1).every((attempt) => attempt === 2)).toBe(true)
  })

  // A bug: the start of a new event that may have killed a process was not given back.
  test('by one deploy after another makes no event poison that two crashes made a suspect', async () => {
    let nowMs = 0
    const { emit, relay, log } = logOf(() => nowMs + performance.now())
    await log.subscribe({ consumer: 'slow', types: null, startAt: 'beginning' })
    for (const vanished of ['first', 'second']) {
      await log.lease({ consumer: 'slow', relay: vanished, leaseMs: 60_000, holding: [] })
      nowMs += 120_000
    }
    await emit('one')
    let calls = 0
    const slow = consumer({
      name: 'slow',
      maxStarts: 1,
      handle() {
        calls += 1
        return calls > 5 ? undefined : new Promise(() => {})
      },
    })
    for (let deploys = 0; deploys < 6; deploys += 1) {
      const before = calls
      const running = relay(slow)
      running.start()
      await waitFor(() => calls > before, { what: `try ${deploys}` })
      await running.stop({ timeoutMs: 0 })
    }
    expect(await deadLetters(log.deadLetters).list()).toMatchObject({ items: [] })
  })

  // A bug: with the start that was given back, the starts of which processes had died were
  // forgotten.
  test('between crashes does not keep an event that kills processes from becoming poison', async () => {
    let nowMs = 0
    const { emit, relay, log } = logOf(() => nowMs + performance.now())
    await log.subscribe({ consumer: 'slow', types: null, startAt: 'beginning' })
    await emit('one')
    const slots = Array.from({ length: SLOTS }, (_, slot) => ({ slot, position: '0' }))
    const { events } = await log.read({ consumer: 'slow', types: null, slots, limit: 1 })
    const dieOf = async (vanished: string, eventId: string | undefined): Promise<void> => {
      const request = { consumer: 'slow', relay: vanished, leaseMs: 60_000, holding: [] }
      const { taken } = await log.lease(request)
      const slot = taken.find((each) => each.slot === events[0]?.slot)
      if (slot && eventId) await log.suspect({ consumer: 'slow', slot, eventId })
      nowMs += 120_000
    }
    await dieOf('first', undefined)
    await dieOf('second', undefined)
    let calls = 0
    const slow = consumer({
      name: 'slow',
      maxStarts: 2,
      handle() {
        calls += 1
        return new Promise(() => {})
      },
    })
    for (const vanished of ['third', 'fourth']) {
      const before = calls
      const running = relay(slow)
      running.start()
      await waitFor(() => calls > before, { what: `the try before the ${vanished} crash` })
      await running.stop({ timeoutMs: 0 })
      await dieOf(vanished, events[0]?.id)
    }
    const last = relay(slow)
    last.start()
    await waitFor(async () => (await log.lag('slow')).events === 0, { what: 'the poison' })
    await last.stop()
    expect(await deadLetters(log.deadLetters).list()).toMatchObject({
      items: [{ reason: 'poison' }],
    })
  })

  // A bug: the batch that was aborted was tried again, one event at a time, by the relay that had
  // stopped.
  test('starts nothing of a batch that it aborts', async () => {
    const { emit, relay } = logOf()
    const batches: number[] = []
    const running = relay(
      consumer({
        name: 'batches',
        handleBatch({ events }) {
          batches.push(events.length)
          return new Promise(() => {})
        },
      }),
    )
    await emit('one', 'two', 'three')
    running.start()
    await waitFor(() => batches.length > 0, { what: 'the batch' })
    await running.stop({ timeoutMs: 0 })
    expect(batches).toEqual([3])
  })

  // Bugs: slots that the log gave it after it had stopped, or while it asked what is on file in
  // them, counted as those of a crashed relay.
  test.each(['lease', 'held'] as const)('releases what it is given too late (%s)', async (late) => {
    const { log } = logOf()
    let isAsked = false
    let answer = (): void => {}
    let isReleased = false
    const untilAnswered = (): Promise<void> => {
      isAsked = true
      return new Promise((resolve) => {
        answer = resolve
      })
    }
    const slow: typeof log = {
      ...log,
      async lease(request) {
        if (late === 'lease') await untilAnswered()
        return await log.lease(request)
      },
      async held(request) {
        if (late === 'held') await untilAnswered()
        return await log.held(request)
      },
      async release(request) {
        await log.release(request)
        isReleased ||= request.leaving
      },
    }
    const running = createRelay({
      ...quick,
      log: slow,
      consumers: [consumer({ name: 'late', ordered: true, handle() {} })],
    })
    running.start()
    await waitFor(() => isAsked, { what: `the log to be asked for its ${late}` })
    await running.stop({ timeoutMs: 0 })
    answer()
    await waitFor(() => isReleased, { what: 'the slots to be released' })
    const another = { consumer: 'late', relay: 'another', leaseMs: 1_000, holding: [] }
    const { taken } = await log.lease(another)
    expect(taken.filter(({ crashes }) => crashes === 0)).toHaveLength(64)
  })

  test('gives back its slots although its last write fails', async () => {
    const { emit, log } = logOf()
    await emit('one')
    let failures = 0
    const failing: typeof log = {
      ...log,
      async advance() {
        failures += 1
        throw new Error('The disk is full.')
      },
    }
    const consumers = [consumer({ name: 'a', handle() {} })]
    const running = createRelay({ ...quick, log: failing, consumers })
    running.start()
    await waitFor(() => failures > 0, { what: 'a write to fail' })
    await running.stop()
    const next = { consumer: 'a', relay: 'next', leaseMs: 60_000, holding: [] }
    const { taken } = await log.lease(next)
    expect(taken.filter(({ crashes }) => crashes === 0)).toHaveLength(64)
  })

  test('ends even if its log no longer answers', async () => {
    const { emit, log } = logOf()
    await emit('one')
    let asked = false
    const halfOpen = {
      ...log,
      advance: () => {
        asked = true
        return new Promise<never>(() => {})
      },
    }
    const running = createRelay({
      ...quick,
      log: halfOpen,
      consumers: [consumer({ name: 'a', handle() {} })],
    })
    running.start()
    await waitFor(() => asked, { what: 'a cursor to be moved' })
    await running.stop({ timeoutMs: 10 })
  })

  test('refuses a timeout that is not a length of time', async () => {
    const running = logOf().relay(consumer({ name: 'a', handle() {} }))
    await expect(running.stop({ timeoutMs: Number.NaN })).rejects.toMatchObject({
      code: 'options-invalid',
    })
  })
})

describe('an alert', () => {
  test('that onAlert fails to take is sent again by the next check', async () => {
    const { emit, relay, log } = logOf()
    await emit('one')
    const failing = consumer({
      name: 'failing',
      maxAttempts: 1,
      handle() {
        throw new Error('card declined')
      },
    })
    const said: string[] = []
    const alerts = deadLetterAlerts({
      source: log.deadLetters,
      maxDepth: 0,
      async onAlert({ kind }) {
        said.push(kind)
        if (said.length <= 2) throw new Error('pager down')
      },
    })
    await alerts.check()
    await relay(failing).runOnce()
    for (let looks = 0; looks < 3; looks += 1) await alerts.check()
    expect(said).toEqual(['depth', 'new-error', 'depth', 'new-error'])
  })
})
