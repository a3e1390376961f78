import { outboxEvent, slotOf } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logOf, quick } from './quick-relay.ts'

test.each([
  [100, 1],
  [101, 2],
])(
  'behind %s events that a stop cuts off, one that has ended runs %s times',
  async (cutOff, times) => {
    const { log } = logOf()
    const keys = Array.from({ length: 1_000 }, (_, at) => `key ${at}`)
    const [one = '', ...others] = keys
    const other = others.find((key) => slotOf(key) === slotOf(one)) ?? ''
    const event = (subject: string, orderingKey: string) =>
      outboxEvent(
        { type: 'order.created', subject, orderingKey },
        { source: '/', traceparent: undefined },
      )
    await log.append([
      ...Array.from({ length: cutOff }, (_, at) => event(`cut off ${at}`, one)),
      event('ended', other),
    ])
    const seen: (string | null)[] = []
    const relayOf = (isSlow: boolean) =>
      createRelay({
        ...quick,
        log,
        consumers: [
          consumer({
            name: 'ordered',
            ordered: true,
            handle({ event: { subject } }) {
              seen.push(subject)
              return isSlow && subject !== 'ended' ? new Promise(() => {}) : undefined
            },
          }),
        ],
      })
    const old = relayOf(true)
    old.start()
    await waitFor(() => seen.length === 2, { what: 'one to begin and the last to end' })
    await old.stop({ timeoutMs: 0 })
    const next = relayOf(false)
    next.start()
    await waitFor(() => seen.includes(`cut off ${cutOff - 1}`), { what: 'the others' })
    await waitFor(async () => (await log.lag('ordered')).events === 0, { what: 'the cursors' })
    await next.stop()
    expect(seen.filter((subject) => subject === 'ended')).toHaveLength(times)
  },
)
