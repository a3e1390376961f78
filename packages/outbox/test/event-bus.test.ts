import { type EventLog, memoryLog, memoryStore, OncekeyError } from '@oncekey/core'
import { createEventBus } from '@oncekey/outbox'
import { expect, test } from 'vitest'

/** A log of whose appends the first have these ends, whatever became of the events. */
function logOf(...ends: readonly ('lost' | 'refused')[]) {
  const store = memoryStore()
  const log = memoryLog(store)
  const left = [...ends]
  const troubled: EventLog = {
    ...log,
    async append(events, options) {
      const end = left.shift()
      if (end === 'refused') throw new OncekeyError('store-unavailable', 'No connection.')
      await log.append(events, options)
      if (end === 'lost') throw new OncekeyError('commit-failed', 'The reply was lost.')
    },
  }
  return { log: troubled, events: store.events }
}

const event = { type: 'payment.captured', subject: 'order-1' }

// A bug: a caller who was told that the log could not be asked published once more, under a new id.
test('an event whose reply was lost is sent again under its id, and is there once', async () => {
  const { log, events } = logOf('lost', 'refused', 'lost')
  await createEventBus({ log }).publish(event)
  expect(events).toHaveLength(1)
})

test('an event that was not sent is not published', async () => {
  const { log, events } = logOf('refused')
  const published = createEventBus({ log }).publish(event)
  await expect(published).rejects.toMatchObject({ code: 'store-unavailable' })
  expect(events).toHaveLength(0)
})

test('an event of unknown outcome stays one, whatever the last error is', async () => {
  const { log } = logOf('lost', ...Array.from({ length: 20 }, () => 'refused' as const))
  const published = createEventBus({ log }).publish(event)
  await expect(published).rejects.toMatchObject({ code: 'commit-failed' })
}, 20_000)
