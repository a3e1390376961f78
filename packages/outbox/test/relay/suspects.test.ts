import { randomUUID } from 'node:crypto'
import {
  type EventLog,
  type MemoryTransaction,
  memoryLog,
  memoryStore,
  type OutboxEvent,
  slotOf,
} from '@oncekey/core'
import { consumer, createRelay, deadLetters } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'

const LEASE_MS = 60_000

/**
 * A log in which two holders of every slot have vanished, and a third holder of the suspect's slot.
 */
async function afterCrashes(name: string, suspect?: OutboxEvent) {
  let nowMs = 0
  const log = memoryLog(memoryStore(), { now: () => nowMs })
  await log.subscribe({ consumer: name, types: null, startAt: 'beginning' })
  for (const relay of ['first', 'second']) {
    const { taken } = await log.lease({ consumer: name, relay, leaseMs: LEASE_MS, holding: [] })
    const slot = taken.find((each) => suspect && each.slot === slotOf(suspect.orderingKey))
    if (suspect && slot) await log.suspect({ consumer: name, slot, eventId: suspect.id })
    nowMs += LEASE_MS * 2
  }
  return log
}

function eventOf(orderingKey: string): OutboxEvent {
  return {
    id: randomUUID(),
    type: 'order.created',
    source: '/',
    subject: orderingKey,
    orderingKey,
    data: '{}',
    headers: {},
    occurredAt: new Date(),
  }
}

/** Twelve events, each in a slot of its own. */
function events(): OutboxEvent[] {
  const bySlot = new Map<number, OutboxEvent>()
  for (let at = 0; bySlot.size < 12; at += 1) bySlot.set(slotOf(`key-${at}`), eventOf(`key-${at}`))
  return [...bySlot.values()]
}

/** Runs one round. Returns, for each event, how many others were under way beside it at most. */
async function beside(
  log: EventLog<MemoryTransaction>,
  options: { name: string; maxStarts: number },
): Promise<Map<string, number>> {
  const underWay = new Set<string>()
  const most = new Map<string, number>()
  const relay = createRelay({
    log,
    consumers: [
      consumer({
        ...options,
        async handle({ event }) {
          underWay.add(event.id)
          for (const id of underWay) {
            most.set(id, Math.max(most.get(id) ?? 0, underWay.size - 1))
          }
          // Any event that may run beside this one has begun after a few turns of the event loop.
          for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
          underWay.delete(event.id)
        },
      }),
    ],
  })
  await relay.runOnce()
  await relay.stop()
  return most
}

describe('after two holders that vanished', () => {
  test('events of different slots are started together', async () => {
    const log = await afterCrashes('together')
    await log.append(events())
    const most = await beside(log, { name: 'together', maxStarts: 3 })
    expect([...most.values()]).toEqual(Array(12).fill(11))
  })

  test('of one slot one is started at a time', async () => {
    const log = await afterCrashes('slot')
    await log.append(Array.from({ length: 12 }, () => eventOf('same')))
    const most = await beside(log, { name: 'slot', maxStarts: 3 })
    expect([...most.values()]).toEqual(Array(12).fill(0))
  })

  test('an event that was under way at a crash is started while no other is', async () => {
    const all = events()
    const suspect = all[5] as OutboxEvent
    const log = await afterCrashes('suspect', suspect)
    await log.append(all)
    const most = await beside(log, { name: 'suspect', maxStarts: 3 })
    expect(most.get(suspect.id)).toBe(0)
    expect(Math.max(...most.values())).toBeGreaterThan(0)
  })

  test('every event is started alone if it must not be started twice', async () => {
    const log = await afterCrashes('once')
    await log.append(events())
    const most = await beside(log, { name: 'once', maxStarts: 1 })
    expect([...most.values()]).toEqual(Array(12).fill(0))
  })
})

describe('a suspect whose outcome cannot be recorded', () => {
  test.each(['new', 'retried'])('leaves the process alive (%s)', async (what) => {
    const name = `unrecorded-${what}`
    const log = await afterCrashes(name)
    await log.append([eventOf('one')])
    const handled: number[] = []
    const relayOn = (on: EventLog<MemoryTransaction>) =>
      createRelay({
        log: on,
        consumers: [
          consumer({
            name,
            backoff: () => 0,
            handle({ attempt }) {
              handled.push(attempt)
              if (attempt === 1 && what === 'retried') throw new Error('not at once')
            },
          }),
        ],
      })
    if (what === 'retried') {
      const first = relayOn(log)
      await first.runOnce()
      await first.stop()
      // A start that is never settled, as of a process that died.
      const lease = { consumer: name, relay: 'third', leaseMs: LEASE_MS, holding: [] }
      const { taken } = await log.lease(lease)
      await log.takeDue({ consumer: name, slots: taken, except: [], limit: 1 })
      await log.release({ consumer: name, relay: 'third', slots: taken, leaving: true })
    }
    // A start whose attempt ended, and whose end is recorded later, is not taken back.
    let takenBack = 0
    let failures = 1
    const failing = async (): Promise<void> => {
      if (failures === 0) return
      failures -= 1
      throw new Error('The log is away.')
    }
    const relay = relayOn({
      ...log,
      advance: (move) => failing().then(() => log.advance(move)),
      settle: (verdicts) => failing().then(() => log.settle(verdicts)),
      suspect(request) {
        if (request.backTo !== undefined) takenBack += 1
        return log.suspect(request)
      },
    })
    await relay.runOnce().catch(() => {})
    await relay.runOnce()
    await relay.stop()
    expect({ failures, takenBack }).toEqual({ failures: 0, takenBack: 0 })
    expect((await log.lag(name)).events).toBe(0)
    expect(await log.deadLetters.listRetrying({}, { limit: 10 })).toMatchObject({ items: [] })
  })
})

// A bug: a relay that stopped gave a delivery on file back as if no process had ever died of it. So
// one that kills its process after some minutes never became poison if deploys came in between.
test('a stop between crashes does not keep a delivery on file from becoming poison', async () => {
  let nowMs = 0
  const log = memoryLog(memoryStore(), { now: () => nowMs + performance.now() })
  let calls = 0
  const kills = consumer({
    name: 'kills',
    maxStarts: 2,
    backoff: () => 0,
    handle() {
      calls += 1
      if (calls === 1) throw new Error('away')
      return new Promise(() => {})
    },
  })
  const relay = () => createRelay({ log, minPollMs: 1, maxPollMs: 5, consumers: [kills] })
  /** A relay takes the delivery and vanishes. */
  const die = async (): Promise<void> => {
    const request = { consumer: 'kills', relay: randomUUID(), leaseMs: LEASE_MS, holding: [] }
    const { taken } = await log.lease(request)
    const slots = taken.map(({ slot, epoch }) => ({ slot, epoch }))
    const due = await log.takeDue({ consumer: 'kills', slots, except: [], limit: 10 })
    expect(due.deliveries).toHaveLength(1)
    nowMs += LEASE_MS * 2
  }
  const fails = relay()
  await log.subscribe({ consumer: 'kills', types: null, startAt: 'beginning' })
  await log.append([eventOf('one')])
  await fails.runOnce()
  await fails.stop()
  await die()
  const stopped = relay()
  stopped.start()
  await waitFor(() => calls === 2, { what: 'the try between the crashes' })
  await stopped.stop({ timeoutMs: 0 })
  await die()
  const last = relay()
  last.start()
  const letters = await waitFor(
    async () => {
      const { items } = await deadLetters(log.deadLetters).list()
      return items.length > 0 && items
    },
    { what: 'the poison', timeoutMs: 3_000 },
  ).finally(() => last.stop({ timeoutMs: 0 }))
  expect(letters).toMatchObject([{ reason: 'poison', attempts: 2 }])
})
