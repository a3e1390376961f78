import type { EventLog, HeldSlot } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { discardDeadScript } from '../../src/log/scripts/dead/discard-dead.ts'
import { redriveDeadScript } from '../../src/log/scripts/dead/redrive-dead.ts'
import { startDeliveriesScript } from '../../src/log/scripts/deliveries/start-deliveries.ts'
import { suspectEventScript } from '../../src/log/scripts/reading/suspect-event.ts'
import { attempt, client, eventOf, hold, logOf, readAll } from './redis-slots.ts'

/** A client that sends some scripts twice, as ioredis does after a lost connection. */
function sendingTwice(): Redis {
  const some = [startDeliveriesScript, suspectEventScript, redriveDeadScript, discardDeadScript]
  const shas = some.map(({ sha }) => sha)
  return new Proxy(client, {
    get(target, name) {
      const own = Reflect.get(target, name, target)
      if (name !== 'evalshaBuffer') return own
      return async (sha: string, ...given: unknown[]) => {
        const first = await own.call(target, sha, ...given)
        return shas.includes(sha) ? own.call(target, sha, ...given) : first
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

/** Appends an event and makes a dead letter of it; returns what is held. */
async function fileDead(log: EventLog<never>): Promise<HeldSlot[]> {
  const event = eventOf()
  await log.append([event])
  const held = await hold(log)
  const { events, next } = await readAll(log, held)
  const verdict = { kind: 'dead', reason: 'permanent' } as const
  await log.advance({
    consumer: 'email',
    slots: next.map((each) => ({
      slot: each.slot,
      position: each.position,
      epoch: held.find(({ slot }) => slot === each.slot)?.epoch ?? '',
      calm: false,
      failed: events
        .filter(({ slot }) => slot === each.slot)
        .map((failed) => ({ event: failed, verdict, attempt })),
    })),
  })
  return held.map(({ slot, epoch }) => ({ slot, epoch }))
}

// A bug: the second copy found the letters put back or discarded, and said it had refused them.
test('an act on letters that the client sends twice tells what it has done', async () => {
  const outcomes = async (log: EventLog<never>) => {
    await fileDead(log)
    const by = { actor: 'ops', note: 'because' }
    const { redriven, refused } = await log.deadLetters.redrive({}, { limit: 10, ...by })
    await client.flushdb()
    await fileDead(log)
    const { items } = await log.deadLetters.list({}, { limit: 10 })
    const ids = items.map(({ id }) => id)
    const discarded = await log.deadLetters.discard(ids, 'because', { actor: 'ops' })
    await client.flushdb()
    return [redriven.length, refused, discarded.map(({ outcome }) => outcome)]
  }
  // The server has to know the scripts.
  expect(await outcomes(logOf())).toEqual([1, [], ['discarded']])
  expect(await outcomes(redisLog({ client: sendingTwice() }))).toEqual([1, [], ['discarded']])
})

// A bug: the copy found the letter dead again, and put it back once more.
test('an act that arrives again later puts nothing back that has died since', async () => {
  const sent: (() => Promise<unknown>)[] = []
  const noting = new Proxy(client, {
    get(target, name) {
      const own = Reflect.get(target, name, target)
      if (name !== 'evalshaBuffer') return own
      return (sha: string, ...given: unknown[]) => {
        if (sha === redriveDeadScript.sha) sent.push(() => own.call(target, sha, ...given))
        return own.call(target, sha, ...given)
      }
    },
  })
  const log = redisLog({ client: noting })
  const slots = await fileDead(log)
  await log.deadLetters.redrive({}, { limit: 10, actor: 'ops' })
  const { deliveries } = await log.takeDue({ consumer: 'email', slots, except: [], limit: 10 })
  const verdict = { kind: 'dead', reason: 'permanent' } as const
  const settled = deliveries.map((each) => ({
    id: each.id,
    slot: each.event.slot,
    verdict,
    attempt,
    claimed: each,
  }))
  expect(settled.length).toBe(1)
  await log.settle({ consumer: 'email', slots, settled })
  for (const again of sent) await again()
  const { items } = await log.deadLetters.list({}, { limit: 10 })
  expect(items.map(({ redrives }) => redrives)).toEqual([1])
})
