import type { EventLog, FailedDelivery, TakenSlot } from '@oncekey/core'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { attempt, client, eventOf, hold, logOf, pass, readAll } from './redis-slots.ts'

const HOUR_MS = 3_600_000

const takeDue = (log: EventLog<never>, slots: readonly TakenSlot[]) =>
  log.takeDue({ consumer: 'email', slots, except: [], limit: 10 })

// A bug: events that failed while the clock was ahead were retried only when the clock had reached
// that time again.
test('what was to be tried again before the clock was put back is tried after its own wait', async () => {
  const log = logOf()
  const events = [eventOf(), eventOf(), eventOf()]
  await log.append(events)
  const held = await hold(log)
  await fail(log, held, retryingIn(400))
  await putClockBack()
  const ids = new Set<string>()
  const first = await takeDue(log, held)
  expect(first.deliveries).toEqual([])
  expect(first.nextInMs).toBeLessThanOrEqual(400)
  await waitFor(
    async () => {
      const { deliveries } = await takeDue(log, held)
      for (const { event } of deliveries) ids.add(event.id)
      return ids.size === 3
    },
    { what: 'all three' },
  )
  expect(ids).toEqual(new Set(events.map(({ id }) => id)))
})

// A bug: what a redrive on record had put back did not say when, and held up what was behind it.
test('what a redrive has put back before the clock was put back is tried at once', async () => {
  const log = logOf()
  await log.append([eventOf()])
  const held = await hold(log)
  await fail(log, held, { kind: 'dead', reason: 'permanent' })
  const redrives = log.deadLetters.redrives
  await redrives?.start({}, { ratePerSecond: 1_000 })
  expect(await redrives?.carry()).toMatchObject({ redriven: 1 })
  await putClockBack()
  expect((await takeDue(log, held)).deliveries).toHaveLength(1)
})

// A bug: a redrive whose next portion was due by a clock that was ahead took nothing until the
// clock had come as far again.
test('a redrive goes on at once, also one behind many that are not due', async () => {
  const log = logOf()
  await log.append([eventOf(), eventOf()])
  const held = await hold(log)
  await fail(log, held, { kind: 'dead', reason: 'permanent' })
  const { redrives } = log.deadLetters
  const id = await redrives?.start({}, { ratePerSecond: 10 })
  await redrives?.carry()
  const others: (string | undefined)[] = []
  for (let count = 0; count < 25; count += 1) others.push(await redrives?.start({}, {}))
  const [running = ''] = await client.keys('*:redrives:running')
  const redriveKey = (of: string | undefined) => running.replace(/running$/, String(of))
  const dueIn = async (of: string | undefined, ms: number) => {
    await client.hset(redriveKey(of), 'next_at', Date.now() + ms)
    await client.zadd(running, Date.now() + ms, String(of))
  }
  for (const other of others) await dueIn(other, 5_000)
  await dueIn(id, HOUR_MS)
  expect(await redrives?.carry()).toMatchObject({ redriven: 1 })
  expect(await redrives?.get(id ?? '')).toMatchObject({ redriven: 2 })
})

test('what does not say when it was scheduled does not hold up what is behind it', async () => {
  const log = logOf()
  const first = eventOf()
  await log.append([first, eventOf({ orderingKey: first.orderingKey })])
  const held = await hold(log)
  await fail(log, held, retryingIn(200))
  await putClockBack()
  const [deliveries = ''] = await client.keys('*:deliveries')
  const { timed_at: _, ...state } = JSON.parse((await client.hget(deliveries, '1:state')) ?? '')
  await client.hset(deliveries, '1:state', JSON.stringify(state))
  await takeDue(log, held)
  expect((await takeDue(log, held)).nextInMs).toBeLessThanOrEqual(200)
})

test('what waits for long in any case is left as it is', async () => {
  const log = logOf()
  await log.append([eventOf()])
  const held = await hold(log)
  await fail(log, held, retryingIn(HOUR_MS))
  await takeDue(log, held)
  const { nextInMs } = await takeDue(log, held)
  expect(nextInMs).toBeGreaterThan(HOUR_MS - 60_000)
})

// A bug: a stream that was written to while the clock was years ahead grew until those years came.
test('what was appended while the clock was far ahead is deleted once every consumer passed it', async () => {
  const log = logOf({ retentionMs: 0 })
  const years = { ms: '2082758400000', fields: ['id', 'e', 'type', 't', 'data', '{}'] }
  for (const slot of [1, 2]) {
    await client.xadd(`oncekey:{${slot}}:outbox`, `${years.ms}-0`, ...years.fields)
    await client.xadd(`oncekey:{${slot}}:outbox`, '*', ...years.fields)
  }
  const held = await hold(log)
  expect((await log.maintain()).dropped).toBe(0)
  expect((await pass(log, held)).events).toHaveLength(4)
  expect((await log.maintain()).dropped).toBe(4)
})

const retryingIn = (delayMs: number) => ({ kind: 'retrying', delayMs }) as const

/** Reads all events, and files each as failed once. */
async function fail(
  log: EventLog<never>,
  held: readonly TakenSlot[],
  verdict: FailedDelivery['verdict'],
): Promise<void> {
  const { events } = await readAll(log, held)
  const slots = held.map((slot) => {
    const failed = events
      .filter((event) => event.slot === slot.slot)
      .map((event) => ({ event, verdict, attempt }))
    return {
      ...slot,
      position: failed.at(-1)?.event.position ?? slot.position,
      calm: false,
      failed,
    }
  })
  expect(await log.advance({ consumer: 'email', slots })).toEqual({ lost: [] })
}

/** Changes the schedules to what they are after the server's clock was put back by an hour. */
async function putClockBack(): Promise<void> {
  for (const key of await client.keys('*:due:*')) {
    const numbers = await client.zrange(key, 0, '-1')
    const deliveries = key.replace(/:due:.*$/, ':deliveries')
    for (const number of numbers) {
      await client.zincrby(key, HOUR_MS, String(number))
      const state = JSON.parse((await client.hget(deliveries, `${number}:state`)) ?? '{}')
      if (state.timed_at === undefined) continue
      const later = JSON.stringify({ ...state, timed_at: state.timed_at + HOUR_MS })
      await client.hset(deliveries, `${number}:state`, later)
    }
  }
}
