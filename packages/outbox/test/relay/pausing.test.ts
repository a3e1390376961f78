import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { type Consumer, consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'

const by = { actor: 'maria@shop.example', note: 'the bank is down' }
const quick = { minPollMs: 1, maxPollMs: 5, advanceEveryMs: 1 } as const

/** A log of one consumer, and a relay that is told of its pauses. */
function pausable(name: string) {
  let nowMs = 0
  const log = memoryLog(memoryStore(), { now: () => nowMs + performance.now() })
  let asked = 0
  const paused = async (names: readonly string[]): Promise<readonly string[]> => {
    const answer = await log.control.paused(names)
    asked += 1
    return answer
  }
  const relay = (of: Consumer<any>) =>
    createRelay({
      ...quick,
      log: { ...log, control: { ...log.control, paused } },
      consumers: [of],
    })
  /** Lets the relay ask that often whether the consumer is paused. */
  const looks = async (count: number): Promise<void> => {
    const before = asked
    await waitFor(() => asked >= before + count, { what: 'the relay to ask' })
  }
  return {
    log,
    relay,
    looks,
    emit: (subjects: readonly string[], orderingKey?: string) =>
      log.append(
        subjects.map((subject) =>
          outboxEvent(
            { type: 'order.created', subject, ...(orderingKey && { orderingKey }) },
            { source: '/', traceparent: undefined },
          ),
        ),
      ),
    /** Two relays take all slots and vanish. */
    async crashTwice() {
      await log.subscribe({ consumer: name, types: null, startAt: 'beginning' })
      for (const vanished of ['first', 'second']) {
        await log.lease({ consumer: name, relay: vanished, leaseMs: 60_000, holding: [] })
        nowMs += 120_000
      }
    },
    async pause() {
      await log.control.pause(name, by)
      await looks(2)
    },
    resume: () => log.control.resume(name, by),
  }
}

const subjects = Array.from({ length: 20 }, (_, n) => `order-${n}`)

// A bug: the events of the batch were started while the consumer was paused.
test('a batch that fails while its consumer is paused is tried one by one when that is over', async () => {
  const { emit, relay, pause, resume, looks } = pausable('batches')
  let fail: (() => void) | undefined
  const singles: string[] = []
  const running = relay(
    consumer({
      name: 'batches',
      handleBatch({ events: [first, ...others] }) {
        if (others.length === 0) return void singles.push(String(first?.subject))
        return new Promise((_, reject) => {
          fail = () => reject(new Error('away'))
        })
      },
    }),
  )
  await emit(subjects)
  running.start()
  await waitFor(() => fail !== undefined, { what: 'the batch' })
  await pause()
  fail?.()
  await looks(20)
  expect(singles).toEqual([])
  await resume()
  await waitFor(() => singles.length === 20, { what: 'its events' })
  await running.stop()
  expect(singles).toEqual(subjects)
})

// A bug: suspects that waited for their turn were started while the consumer was paused.
test('suspects that wait for their turn wait until their consumer is no longer paused', async () => {
  const { emit, relay, pause, resume, looks, crashTwice } = pausable('suspects')
  const seen: string[] = []
  let end = (): void => {}
  await crashTwice()
  await emit(subjects, 'one key')
  const running = relay(
    consumer({
      name: 'suspects',
      handle({ event }) {
        seen.push(String(event.subject))
        return new Promise<void>((resolve) => {
          end = resolve
        })
      },
    }),
  )
  running.start()
  await waitFor(() => seen.length === 1, { what: 'the first' })
  await pause()
  end()
  await looks(20)
  expect(seen).toHaveLength(1)
  await resume()
  for (let n = 2; n <= 20; n += 1) {
    await waitFor(() => seen.length === n, { what: `number ${n}` })
    end()
  }
  await running.stop()
  expect(seen).toEqual(subjects)
})
