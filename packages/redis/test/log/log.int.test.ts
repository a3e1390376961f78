import { type HeldSlot, type LoggedEvent, SLOTS, slotOf, type TakenSlot } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import { attempt, client, eventOf, hold, logOf, outboxOf, pass, readAll } from './redis-slots.ts'

describe('entries that are not events', () => {
  test.each([
    ['without an id', { type: 'order.created' }, 'has no `id`'],
    ['without a type', { id: 'e1' }, 'has no `type`'],
    ['with data that is not JSON', { id: 'e2', type: 'a', data: '{' }, 'is not JSON'],
    ['with headers that are a list', { id: 'e3', type: 'a', headers: '[]' }, 'not a JSON object'],
    ['of another program', { temperature: '21' }, 'has no `id`'],
  ])('%s become dead letters, and the events behind them are delivered', async (_, fields, why) => {
    const log = logOf()
    const behind = eventOf()
    await client.xadd(outboxOf(behind), '*', ...Object.entries(fields).flat())
    await log.append([behind])
    const held = await hold(log)
    const { events, lost } = await pass(log, held)
    expect(events.map(({ id }) => id)).toEqual([behind.id])
    expect(lost).toEqual([])
    const { items } = await log.deadLetters.list({}, { limit: 10 })
    expect(items.length).toBe(1)
    expect(items[0]?.error?.message).toContain(why)
    const letter = await log.deadLetters.get(items[0]?.id ?? '')
    expect(JSON.parse(letter?.data ?? '')).toEqual(fields)
    // A second read of the same position finds the entry already filed.
    const again = await log.advance({
      consumer: 'email',
      slots: held.map((each) => ({ ...each, calm: false, failed: [] })),
    })
    expect(again.lost).toEqual([slotOf(behind.orderingKey)])
    expect(await log.deadLetters.count({})).toBe(1)
  })

  test('are read again by the next holder, if the first did not pass them', async () => {
    const [first, second] = [logOf(), logOf()]
    await client.xadd('oncekey:{5}:outbox', '*', 'broken', 'yes')
    const held = await hold(first)
    await readAll(first, held)
    expect(await first.deadLetters.count({})).toBe(0)
    await first.release({ consumer: 'email', relay: 'relay-1', slots: held, leaving: true })
    await pass(second, await hold(second, 'email', 'relay-2'))
    expect(await second.deadLetters.count({})).toBe(1)
  })
})

describe('a relay that lost its slots', () => {
  test('no longer changes cursors, deliveries or counts', async () => {
    const log = logOf()
    const [given, other] = [eventOf(), eventOf()]
    await log.append([given])
    await log.append([other])
    const zombie = await hold(log, 'email', 'zombie', 1)
    const epochOf = (slots: readonly HeldSlot[], slot: number): string =>
      slots.find((each) => each.slot === slot)?.epoch ?? ''
    const { events } = await readAll(log, zombie)
    // Files one event and starts it, so that there is a delivery whose verdict can be recorded.
    const failing = events.find(({ id }) => id === given.id) as LoggedEvent
    await log.advance({
      consumer: 'email',
      slots: [
        {
          slot: failing.slot,
          epoch: epochOf(zombie, failing.slot),
          position: failing.position,
          calm: false,
          failed: [{ event: failing, verdict: { kind: 'retrying', delayMs: 0 }, attempt }],
        },
      ],
    })
    const { deliveries } = await log.takeDue({
      consumer: 'email',
      slots: zombie,
      except: [],
      limit: 10,
    })
    expect(deliveries.length).toBe(1)
    await hold(log, 'email', 'successor')
    const before = await stateOf()
    expect((await pass(log, zombie)).lost.length).toBe(SLOTS)
    const id = deliveries[0]?.id ?? ''
    const settled = [{ id, slot: failing.slot, verdict: { kind: 'done' } as const, attempt: null }]
    expect((await log.settle({ consumer: 'email', slots: zombie, settled })).lost.length).toBe(
      SLOTS,
    )
    expect(
      await log.takeDue({ consumer: 'email', slots: zombie, except: [], limit: 10 }),
    ).toMatchObject({ deliveries: [] })
    const slot = zombie[0] as HeldSlot
    expect(await log.suspect({ consumer: 'email', slot, eventId: 'e' })).toBe('lost')
    await log.release({ consumer: 'email', relay: 'zombie', slots: zombie, leaving: false })
    expect(await stateOf()).toEqual(before)
  })

  /** Everything stored about cursors and deliveries. */
  async function stateOf(): Promise<unknown> {
    const keys = (await client.keys('*'))
      .filter((key) => /:(consumers|deliveries)$/.test(key))
      .sort()
    return Promise.all(keys.map(async (key) => [key, await client.hgetall(key)]))
  }
})

describe('a verdict', () => {
  test('that is sent again after its answer was lost counts one attempt', async () => {
    const log = logOf()
    await log.append([eventOf()])
    const held = await hold(log)
    const { events } = await readAll(log, held)
    const event = events[0] as LoggedEvent
    const slot = held.find((each) => each.slot === event.slot) as TakenSlot
    const verdict = { kind: 'retrying', delayMs: 0 } as const
    await log.advance({
      consumer: 'email',
      slots: [
        { ...slot, position: event.position, calm: false, failed: [{ event, verdict, attempt }] },
      ],
    })
    const take = () => log.takeDue({ consumer: 'email', slots: held, except: [], limit: 1 })
    const [due] = (await take()).deliveries
    const settled = [{ id: due?.id ?? '', slot: event.slot, verdict, attempt }]
    await log.settle({ consumer: 'email', slots: [slot], settled })
    await log.settle({ consumer: 'email', slots: [slot], settled })
    expect((await take()).deliveries[0]).toMatchObject({ attempts: 2, starts: 3 })
  })
})

describe('the events that a consumer emits for an event', () => {
  test('are appended once and completely, however often they are sent', async () => {
    const log = logOf()
    const events = [eventOf(), eventOf(), eventOf()]
    const asked = { consumer: 'shipping', eventId: 'e1', events }
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => log.emit(asked)))
    expect(outcomes.filter((outcome) => outcome === 'done').length).toBe(1)
    expect(await log.emit({ ...asked, consumer: 'email' })).toBe('done')
    const { events: read } = await readAll(log, await hold(log))
    expect(read.length).toBe(6)
  })
})

test('refuses a transaction, with a message that says where to write', async () => {
  await expect(
    logOf().takeIn({ consumer: 'a', eventIds: ['e'], timeoutMs: 1 }),
  ).rejects.toMatchObject({ code: 'transaction-unsupported' })
})

test('a slot with many events does not hold up the others: the next page starts behind it', async () => {
  const log = logOf()
  for (let at = 0; at < 200; at += 1) await log.append([eventOf({ orderingKey: 'busy' })])
  const quiet = [1, 2, 3, 4].map((at) => eventOf({ orderingKey: `quiet-${at}` }))
  for (const each of quiet) await log.append([each])
  let slots: readonly { slot: number; position: string }[] = await hold(log)
  const seen: string[] = []
  for (let pages = 0; pages < 2; pages += 1) {
    const page = await log.read({ consumer: 'email', types: null, slots, limit: 50 })
    seen.push(...page.events.map(({ id }) => id))
    slots = page.next
    expect(page.more).toBe(true)
  }
  expect(seen.length).toBe(100)
  expect(seen).toEqual(expect.arrayContaining(quiet.map(({ id }) => id)))
})

test('counts the lag of large events exactly, even over several scripts', async () => {
  const log = logOf()
  const data = JSON.stringify('x'.repeat(300_000))
  for (let at = 0; at < 12; at += 1) await log.append([eventOf({ orderingKey: 'a', data })])
  for (let at = 0; at < 30; at += 1) await log.append([eventOf({ data })])
  const held = await hold(log)
  expect(await log.lag('email')).toMatchObject({ events: 42, oldestMs: expect.any(Number) })
  // Redis cannot tell how many entries of a stream follow an entry.
  const { events } = await log.read({ consumer: 'email', types: null, slots: held, limit: 1_000 })
  const second = events.filter(({ slot }) => slot === slotOf('a'))[1] as LoggedEvent
  const slot = held.find((each) => each.slot === second.slot) as TakenSlot
  const move = { ...slot, position: second.position, calm: false, failed: [] }
  await log.advance({ consumer: 'email', slots: [move] })
  expect((await log.lag('email')).events).toBe(40)
  await client.del(...(await client.keys('*outbox')))
  expect(await log.lag('email')).toMatchObject({ events: 0, oldestMs: null })
})
