import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { publisher } from '../../src/publishers/publisher.ts'

// A bug: a send that had waited for its broker was given all of the attempt's time once more, and
// might go on after the attempt had been given up.
test('a send that has waited for its broker has what is left of the time of its attempt', async () => {
  const log = memoryLog(memoryStore())
  const given: number[] = []
  const broker = publisher(
    { name: 'broker', attemptTimeoutMs: 60_000, concurrency: 1, backoff: () => 50 },
    {
      isForOne: true,
      isPermanent: () => false,
      isOfDestination: () => false,
      missingForMs: 0,
      prepare: () => ({
        to: 'broker',
        async send(timeoutMs) {
          given.push(timeoutMs)
          if (given.length === 1) throw new Error('down')
        },
      }),
    },
  )
  const emit = () =>
    log.append([outboxEvent({ type: 'order.created' }, { source: '/', traceparent: undefined })])
  await emit()
  await emit()
  const relay = createRelay({ log, minPollMs: 1, maxPollMs: 5, consumers: [broker] })
  relay.start()
  await waitFor(() => given.length > 1, { what: 'the next send' })
  await relay.stop()
  expect(given[1]).toBeLessThan(60_000)
})
