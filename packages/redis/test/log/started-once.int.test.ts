import { redisLog } from '@oncekey/redis'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { startDeliveriesScript } from '../../src/log/scripts/deliveries/start-deliveries.ts'
import { suspectEventScript } from '../../src/log/scripts/reading/suspect-event.ts'
import { attempt, client, eventOf, hold, logOf, readAll } from './redis-slots.ts'

/** A client that sends the scripts that count starts twice, as ioredis after a lost connection. */
function sendingTwice(): Redis {
  const counting = [startDeliveriesScript.sha, suspectEventScript.sha]
  return new Proxy(client, {
    get(target, name) {
      const own = Reflect.get(target, name, target)
      if (name !== 'evalshaBuffer') return own
      return async (sha: string, ...given: unknown[]) => {
        const first = await own.call(target, sha, ...given)
        return counting.includes(sha) ? own.call(target, sha, ...given) : first
      }
    },
  })
}

// A bug: each copy counted a start. With `maxStarts: 1` one lost connection was enough for an event
// that nobody had run to become a dead letter as poison.
test('a start that the client sends twice is counted once', async () => {
  const log = redisLog({ client: sendingTwice() })
  // The server has to know the scripts.
  const event = eventOf()
  await log.append([event])
  const held = await hold(log)
  const slots = held.map(({ slot, epoch }) => ({ slot, epoch }))
  const { events, next } = await readAll(log, held)
  const [logged] = events
  if (logged === undefined) throw new Error('There is no event.')
  const slot = slots.find((each) => each.slot === logged.slot) ?? { slot: -1, epoch: '' }
  const suspect = () => log.suspect({ consumer: 'email', slot, eventId: event.id })
  expect(await suspect()).toBe(1)
  expect(await suspect()).toBe(2)
  const verdict = { kind: 'retrying', delayMs: 0 } as const
  await log.advance({
    consumer: 'email',
    slots: next
      .filter((each) => each.slot === logged.slot)
      .map((each) => ({
        ...each,
        ...slot,
        calm: false,
        failed: [{ event: logged, verdict, attempt }],
      })),
  })
  const due = () => log.takeDue({ consumer: 'email', slots, except: [], limit: 10 })
  await logOf().takeDue({ consumer: 'email', slots: [], except: [], limit: 1 })
  expect((await due()).deliveries.map(({ starts }) => starts)).toEqual([2])
  expect((await due()).deliveries.map(({ starts }) => starts)).toEqual([3])
})
