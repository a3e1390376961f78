import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { createRelay, type DeliveredEvent } from '@oncekey/outbox'
import { type RabbitConnection, rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { oneSendEach } from '../../src/publishers/one-send-each.ts'

describe('a send whose outcome never comes', () => {
  const stuck = { id: 'stuck' } as DeliveredEvent

  /** What waits in vain for the send of one event, and how often that was sent. */
  function waiting(doubted?: () => void) {
    const once = oneSendEach(doubted)
    let sent = 0
    let later = 0
    return {
      sent: () => sent,
      /** An attempt that waits until its time is up. */
      inVain() {
        const attempt = new AbortController()
        const outcome = once('to', stuck, attempt.signal, () => {
          sent += 1
          return new Promise(() => {})
        })
        outcome.catch(() => {})
        attempt.abort()
      },
      async anotherSucceeds() {
        later += 1
        const event = { id: `later ${later}` } as DeliveredEvent
        await once('to', event, new AbortController().signal, async () => {})
      },
      async succeeds() {
        await once('to', stuck, new AbortController().signal, async () => {})
      },
    }
  }

  test('is begun anew after three attempts, if later ones had succeeded before each', async () => {
    const { sent, inVain, anotherSucceeds } = waiting()
    inVain()
    await anotherSucceeds()
    for (let attempts = 1; attempts <= 3; attempts += 1) {
      expect(sent()).toBe(1)
      inVain()
    }
    inVain()
    expect(sent()).toBe(2)
  })

  test('is begun anew after thirty attempts, if nothing succeeds', () => {
    const { sent, inVain } = waiting()
    for (let attempts = 1; attempts <= 30; attempts += 1) {
      inVain()
      expect(sent()).toBe(1)
    }
    inVain()
    expect(sent()).toBe(2)
  })

  test('is begun anew ever more rarely, until its event gets through', async () => {
    const { sent, inVain, succeeds } = waiting()
    const attemptsOf = (copy: number): number => {
      for (let attempts = 0; ; attempts += 1) {
        if (sent() > copy) return attempts
        inVain()
      }
    }
    attemptsOf(0)
    // Each count ends with the attempt that begins the next copy.
    expect([1, 2, 3, 4].map(attemptsOf)).toEqual([30, 60, 120, 240])
    for (let attempts = 0; attempts < 479; attempts += 1) inVain()
    await succeeds()
    attemptsOf(5)
    expect(attemptsOf(6)).toBe(30)
  })

  test('is not begun anew by itself if its client is told to end what is under way', async () => {
    let told = 0
    const { sent, inVain } = waiting(() => {
      told += 1
    })
    for (let attempts = 0; attempts < 90; attempts += 1) inVain()
    expect([sent(), told]).toEqual([1, 2])
  })
})

/**
 * A connection whose channels confirm what they may, and all that is pending when the alarm ends. A
 * channel that is closed rejects the rest.
 */
function broker(isConfirmed: (id: string, channel: number) => boolean) {
  const channels: string[][] = []
  const confirms = new Set<() => void>()
  let isOver = false
  const connection: RabbitConnection = {
    createPublisher() {
      const sent: string[] = []
      const rejections: (() => void)[] = []
      const number = channels.push(sent)
      return {
        send({ messageId }) {
          sent.push(messageId)
          if (isOver || isConfirmed(messageId, number)) return Promise.resolve()
          return new Promise<void>((resolve, reject) => {
            confirms.add(resolve)
            rejections.push(() => reject(new Error('the channel is closed')))
          })
        },
        on: () => {},
        async close() {
          for (const reject of rejections) reject()
        },
      }
    },
  }
  const endAlarm = (): void => {
    isOver = true
    for (const confirm of confirms) confirm()
  }
  return { connection, channels, endAlarm }
}

describe('a publisher to RabbitMQ', () => {
  const settings = { name: 'rabbit', exchange: '', backoff: () => 1, attemptTimeoutMs: 20 }

  // A bug: each attempt waited for the first one's confirm, which the broker had lost. The event,
  // and all behind it of its ordering key, waited for the connection to break.
  test('sends an event again whose confirm the broker has lost, on another channel', async () => {
    const events = Array.from({ length: 200 }, (_, at) => eventOf(`key ${at}`))
    const [lost] = events
    const { connection, channels } = broker((id, channel) => id !== lost?.id || channel > 1)
    const log = memoryLog(memoryStore())
    const relay = createRelay({
      log,
      minPollMs: 1,
      maxPollMs: 5,
      advanceEveryMs: 1,
      consumers: [rabbitmqPublisher({ ...settings, connection })],
    })
    relay.start()
    let at = 0
    const feeding = setInterval(() => {
      const next = events[at]
      at += 1
      if (next !== undefined) void log.append([next])
    }, 10)
    try {
      await waitFor(() => channels[1]?.includes(lost?.id ?? ''), {
        what: 'the event on another channel',
      })
      await waitFor(async () => (await log.lag('rabbit')).events === 0, { what: 'all to be done' })
    } finally {
      clearInterval(feeding)
      await relay.stop()
    }
    expect(channels.flat().filter((id) => id === lost?.id)).toHaveLength(2)
    expect(channels).toHaveLength(2)
  })

  test('waits for a broker in alarm, which confirms nothing, on the same channel', async () => {
    const { connection, channels, endAlarm } = broker(() => false)
    const log = memoryLog(memoryStore())
    const relay = createRelay({
      log,
      minPollMs: 1,
      maxPollMs: 5,
      advanceEveryMs: 1,
      consumers: [rabbitmqPublisher({ ...settings, connection })],
    })
    const event = eventOf('alarmed')
    await log.append([event])
    relay.start()
    let failures = 0
    try {
      await waitFor(
        async () => {
          const { items } = await log.deadLetters.listRetrying({ origin: 'rabbit' }, { limit: 1 })
          failures = Math.max(failures, items[0]?.attempts ?? 0)
          return failures > 5
        },
        { what: 'some attempts to be over' },
      )
      endAlarm()
      await waitFor(
        async () =>
          (await log.deadLetters.listRetrying({ origin: 'rabbit' }, { limit: 1 })).items.length ===
          0,
        { what: 'the event to be done' },
      )
    } finally {
      await relay.stop()
    }
    expect(channels).toHaveLength(1)
  })
})

function eventOf(orderingKey: string) {
  return outboxEvent(
    { type: 'order.created', orderingKey },
    { source: '/', traceparent: undefined },
  )
}
