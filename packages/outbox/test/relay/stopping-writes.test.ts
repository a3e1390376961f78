import { slotOf } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { gate, logOf, quick, turns } from './quick-relay.ts'

// A bug: a stop first asked the log which ordering keys are held, to file what had not ended. Where
// that takes longer than the time of a stop, what had ended was not on record and came again.
test('a stop puts on record what has ended before it asks the log for anything', async () => {
  const { emit, log } = logOf()
  const [first = '', second = ''] = inOneSlot()
  const other = Array.from({ length: 100 }, (_, at) => `other-${at}`).find(
    (subject) => slotOf(subject) !== slotOf(first),
  )
  const silent: typeof log = { ...log, held: () => new Promise(() => {}) }
  const begun: (string | null)[] = []
  const { opened, open } = gate()
  const relay = createRelay({
    ...quick,
    log: silent,
    consumers: [
      consumer({
        name: 'a',
        handle({ event: { subject } }) {
          begun.push(subject)
          if (subject === first) return new Promise(() => {})
          return subject === other ? opened : undefined
        },
      }),
    ],
  })
  await emit(first, second, String(other))
  relay.start()
  await waitFor(() => begun.length === 3, { what: 'the events' })
  const stopping = relay.stop({ timeoutMs: 100 })
  await turns()
  open()
  await stopping
  expect(await log.lag('a')).toMatchObject({ events: 2 })
})

/** Two ordering keys that share a slot. */
function inOneSlot(): readonly string[] {
  const slots = new Map<number, string>()
  for (let at = 0; ; at += 1) {
    const key = `order-${at}`
    const before = slots.get(slotOf(key))
    if (before !== undefined) return [before, key]
    slots.set(slotOf(key), key)
  }
}
