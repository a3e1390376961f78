import type { EventLog, TakenSlot } from '@oncekey/core'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { attempt, client, eventOf, hold, logOf, readAll } from './redis-slots.ts'

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
  await fail(log, held, 400)
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

test('what waits for long in any case is left as it is', async () => {
  const log = logOf()
  await log.append([eventOf()])
  const held = await hold(log)
  await fail(log, held, HOUR_MS)
  await takeDue(log, held)
  const { nextInMs } = await takeDue(log, held)
  expect(nextInMs).toBeGreaterThan(HOUR_MS - 60_000)
})

/** Reads all events, and files each as failed once. */
async function fail(
  log: EventLog<never>,
  held: readonly TakenSlot[],
  delayMs: number,
): Promise<void> {
  const { events } = await readAll(log, held)
  const verdict = { kind: 'retrying', delayMs } as const
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
      const later = JSON.stringify({ ...state, timed_at: state.timed_at + HOUR_MS })
      await client.hset(deliveries, `${number}:state`, later)
    }
  }
}
