import { tracingChannel } from 'node:diagnostics_channel'
import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { afterEach, describe, expect, test } from 'vitest'

const MANY = 2_000
const traced = { start() {}, end() {}, asyncStart() {}, asyncEnd() {}, error() {} }
const deliveries = tracingChannel('oncekey:deliver')

/** Delivers {@link MANY} events in one round, in batches as large as that; none ends later. */
async function deliver(work: (ids: readonly string[]) => void, maxAttempts = 1) {
  const log = memoryLog(memoryStore())
  const events = Array.from({ length: MANY }, () =>
    outboxEvent({ type: 'order.created' }, { source: '/', traceparent: undefined }),
  )
  await log.append(events)
  const large = consumer({
    name: 'large',
    batchSize: MANY,
    maxAttempts,
    handleBatch: (batch) => work(batch.events.map(({ id }) => id)),
  })
  const relay = createRelay({ log, consumers: [large], batchSize: MANY, maxInFlight: MANY })
  await relay.runOnce()
  await relay.stop()
  const { events: left } = await log.lag('large')
  return { left, dead: await log.deadLetters.count({}), events }
}

// A bug: each event of a failed batch was started inside the end of the one before it. Some
// thousand events later the stack overflowed, and that error was taken for one of the consumer: the
// consumer stood still, and nothing was reported.
describe.each(['unwatched', 'watched'])('a failed batch of a synchronous consumer, %s', (how) => {
  afterEach(() => deliveries.unsubscribe(traced))

  test(`is retried one by one, all ${MANY} events of it`, async () => {
    if (how === 'watched') deliveries.subscribe(traced)
    const alone: string[] = []
    const { left, dead, events } = await deliver((ids) => {
      if (ids.length > 1) throw new Error('only one at a time')
      alone.push(...ids)
    })
    expect({ left, dead }).toEqual({ left: 0, dead: 0 })
    expect(alone.sort()).toEqual(events.map(({ id }) => id).sort())
  })

  test(`makes ${MANY} dead letters if each event fails alone as well`, async () => {
    if (how === 'watched') deliveries.subscribe(traced)
    const { left, dead } = await deliver(() => {
      throw new Error('card declined')
    })
    expect({ left, dead }).toEqual({ left: 0, dead: MANY })
  })
})
