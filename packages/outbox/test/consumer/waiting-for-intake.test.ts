import type { EventLog, Intake } from '@oncekey/core'
import { OncekeyError } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logOf, quick } from '../relay/quick-relay.ts'

/** A log in memory on which no transaction comes free for the first `waits` that ask. */
function crowded(waits: number) {
  const { log, emit } = logOf()
  const given = { up: 0, asked: 0 }
  const busy: EventLog<any> = {
    ...log,
    async takeIn(request): Promise<Intake<any>> {
      given.asked += 1
      if (given.asked > waits) return await log.takeIn(request)
      await new Promise<void>((resolve) =>
        request.signal?.addEventListener('abort', () => resolve()),
      )
      given.up += 1
      throw new OncekeyError('store-busy', 'No transaction came free.')
    },
  }
  return { log: busy, emit, given }
}

// A bug: with more attempts than transactions, the wait for one used up attempts, up to a dead
// letter of an event that no consumer had seen fail.
test('an event that gets no transaction in its time is postponed, and leaves the queue', async () => {
  const { log, emit, given } = crowded(3)
  let done = 0
  const slow = consumer<any>({
    name: 'slow',
    startAt: 'now',
    maxAttempts: 2,
    attemptTimeoutMs: 50,
    backoff: () => 1,
    async handle({ transaction }) {
      await transaction()
      done += 1
    },
  })
  const relay = createRelay({ ...quick, log, consumers: [slow] })
  await relay.runOnce()
  relay.start()
  try {
    await emit('order-1')
    await waitFor(() => done === 1, { what: 'its turn' })
    expect(given.up).toBe(3)
    expect(await log.deadLetters.count({})).toBe(0)
  } finally {
    await relay.stop()
  }
})

// A bug: the end of the attempt ended the wait, and the event failed at every attempt.
test('a consumer that returns without awaiting its transaction has taken the event in', async () => {
  const { log, emit } = logOf()
  const hasty = consumer<any>({
    name: 'hasty',
    startAt: 'now',
    maxAttempts: 1,
    handle({ transaction }) {
      transaction().catch(() => {})
    },
  })
  const signals: (AbortSignal | undefined)[] = []
  const watched: EventLog<any> = {
    ...log,
    async takeIn(request) {
      await new Promise(setImmediate)
      signals.push(request.signal)
      if (request.signal?.aborted) throw new OncekeyError('store-busy', 'Whoever waited has gone.')
      return await log.takeIn(request)
    },
  }
  const relay = createRelay({ ...quick, log: watched, consumers: [hasty] })
  await relay.runOnce()
  await emit('order-1')
  while ((await relay.runOnce()) > 0);
  expect(signals).toHaveLength(1)
  expect(await log.deadLetters.count({})).toBe(0)
  await relay.stop()
})

/** A log in memory whose transactions are opened as `opening` says. */
function openedLater(opening: (count: number) => Promise<unknown>) {
  const { log, emit } = logOf()
  let count = 0
  const slow: EventLog<any> = {
    ...log,
    async takeIn(request) {
      count += 1
      await opening(count)
      return await log.takeIn(request)
    },
  }
  return { log: slow, emit }
}

const ofMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

test('the time of an attempt stands while it waits for its transaction', async () => {
  const { log, emit } = openedLater(() => ofMs(150))
  const ends: unknown[] = []
  const slow = consumer<any>({
    name: 'slow',
    startAt: 'now',
    maxAttempts: 1,
    attemptTimeoutMs: 200,
    async handle({ event, transaction, signal }) {
      await ofMs(50)
      await transaction()
      await ofMs(50)
      ends.push([event.subject, signal.aborted])
    },
  })
  const relay = createRelay({ ...quick, log, consumers: [slow] })
  await relay.runOnce()
  await emit('order-1')
  while ((await relay.runOnce()) > 0);
  expect(ends).toEqual([['order-1', false]])
  expect(await log.deadLetters.count({})).toBe(0)
  await relay.stop()
})

test.each([
  ['before it asks for its transaction', () => ofMs(1), false],
  ['after a long wait for its transaction', () => ofMs(150), true],
] as const)(
  'an event for which the consumer takes too long itself is not postponed: %s',
  async (_, opening, isFirst) => {
    const { log, emit } = openedLater(opening)
    const late = consumer<any>({
      name: 'late',
      startAt: 'now',
      maxAttempts: 2,
      attemptTimeoutMs: 200,
      backoff: () => 1,
      async handle({ transaction }) {
        if (isFirst) await transaction()
        await new Promise(() => {})
      },
    })
    const relay = createRelay({ ...quick, log, consumers: [late] })
    await relay.runOnce()
    relay.start()
    try {
      await emit('order-1')
      await waitFor(async () => (await log.deadLetters.count({})) === 1, {
        what: 'the dead letter',
      })
    } finally {
      await relay.stop()
    }
  },
)
