import { outboxEvent, slotOf } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logOf, quick } from './quick-relay.ts'

// A bug: a relay that was stopped renewed no lease while it waited for its last attempts. If these
// took longer, another relay took the slots and ran the same events beside them.
test('a relay that stops keeps the slots of its last attempts, and gives up the others', {
  timeout: 30_000,
}, async () => {
  const { emit, log } = logOf()
  let renewals = 0
  const counted: typeof log = {
    ...log,
    async lease(request) {
      const lease = await log.lease(request)
      if (request.waiting) renewals += 1
      return lease
    },
  }
  const calls: string[] = []
  let end = (): void => {}
  const relayOf = (who: string, of: typeof log) =>
    createRelay({
      ...quick,
      log: of,
      consumers: [
        consumer({
          name: 'slow',
          handle({ event: { subject } }) {
            calls.push(`${who} ${subject}`)
            if (who !== 'old') return
            return new Promise<void>((resolve) => {
              end = resolve
            })
          },
        }),
      ],
    })
  const old = relayOf('old', counted)
  old.start()
  await emit('slow')
  await waitFor(() => calls.length === 1, { what: 'the attempt to begin' })
  const stopping = old.stop({ timeoutMs: 60_000 })
  const next = relayOf('next', log)
  next.start()
  const others = Array.from({ length: 100 }, (_, number) => `${number}`)
  await emit(...others)
  // A lease is renewed at least once in its length, so that one would have ended.
  await waitFor(() => renewals > 4 && calls.length > 50, { what: 'renewals, and other slots' })
  expect(calls.filter((call) => call.endsWith(' slow'))).toEqual(['old slow'])
  end()
  await stopping
  await waitFor(async () => (await log.lag('slow')).events === 0, { what: 'the rest' })
  await next.stop()
  expect(calls.sort()).toEqual(['old slow', ...others.map((each) => `next ${each}`)].sort())
})

// A bug: a relay gave up a slot while a page of it was being read, and then ran the events of that
// page, beside the relay that had taken the slot.
test('a relay starts nothing of a slot that it gives up while a page is being read', async () => {
  const { emit, log } = logOf()
  let read = (): void => {}
  let holds = false
  let isHeld = false
  let given = 0
  const slow: typeof log = {
    ...log,
    async read(request) {
      const page = await log.read(request)
      if (!holds || page.events.length === 0) return page
      isHeld = true
      await new Promise<void>((resolve) => {
        read = resolve
      })
      return page
    },
    async release(request) {
      // The page comes while the slots are being given up.
      if (isHeld && !request.leaving) {
        holds = false
        read()
        await waitFor(() => reads > 0, { what: 'the page to be taken in' })
      }
      await log.release(request)
      given += request.slots.length
    },
  }
  let reads = 0
  const calls: string[] = []
  const relayOf = (who: string, of: typeof log) =>
    createRelay({
      ...quick,
      log: of,
      consumers: [
        consumer({
          name: 'a',
          handle({ event: { subject } }) {
            calls.push(`${subject}`)
            if (who === 'first') reads += 1
          },
        }),
      ],
    })
  const subjects = Array.from({ length: 200 }, (_, number) => `${number}`)
  const first = relayOf('first', slow)
  first.start()
  await waitFor(async () => (await log.lag('a')).known, { what: 'the first relay' })
  holds = true
  await emit(...subjects)
  await waitFor(() => isHeld, { what: 'a page' })
  const second = relayOf('second', log)
  second.start()
  await waitFor(() => given > 0, { what: 'slots to be given up' })
  await waitFor(async () => (await log.lag('a')).events === 0, { what: 'all events' })
  await Promise.all([first.stop(), second.stop()])
  expect(calls.sort()).toEqual(subjects.sort())
})

// A bug: a cursor cannot pass an event that has not ended. If a stop aborted one, all events behind
// it in its slot were run again, though they had ended.
test.each([false, true])(
  'a relay that aborts an event does not have those behind it run again (ordered: %s)',
  async (ordered) => {
    const { log } = logOf()
    const emit = (orderingKey: string, subject: string) =>
      log.append([
        outboxEvent(
          { type: 'order.created', subject, orderingKey },
          { source: '/', traceparent: undefined },
        ),
      ])
    const calls: string[] = []
    const relayOf = (who: string) =>
      createRelay({
        ...quick,
        log,
        consumers: [
          consumer({
            name: 'slow',
            ordered,
            handle({ event: { subject }, attempt }) {
              calls.push(`${who} ${subject} ${attempt}`)
              return who === 'old' && subject === 'hangs' ? new Promise(() => {}) : undefined
            },
          }),
        ],
      })
    await emit('one', 'hangs')
    await emit('one', 'next of its key')
    const same = slotMates('one', 10)
    for (const key of same) await emit(key, key)
    const old = relayOf('old')
    old.start()
    await waitFor(() => calls.length >= 11, { what: 'all that can begin' })
    await old.stop({ timeoutMs: 0 })
    const before = calls.splice(0)
    expect(before.slice(0, 1)).toEqual(['old hangs 1'])
    const next = relayOf('next')
    next.start()
    await waitFor(() => calls.length >= (ordered ? 2 : 1), { what: 'the rest' })
    await waitFor(async () => (await log.lag('slow')).events === 0, { what: 'the cursors' })
    await next.stop()
    expect(calls).toEqual(['next hangs 1', ...(ordered ? ['next next of its key 1'] : [])])
    expect(await log.held({ consumer: 'slow', slots: [slotOf('one')] })).toEqual([])
    expect((await log.deadLetters.list({}, { limit: 1 })).items).toEqual([])
  },
)

// A bug: what a stop cut off was filed, and then waited for an earlier delivery of its ordering
// key, of a consumer that asks for no order: until that one was done or dead.
test.each(['hangs', 'fails'])(
  'an event that a stop cuts off waits for none if its consumer has no order (one before it %s)',
  async (how) => {
    const { log } = logOf()
    const calls: string[] = []
    const relayOf = (who: string) =>
      createRelay({
        ...quick,
        log,
        consumers: [
          consumer({
            name: 'slow',
            backoff: () => 3_600_000,
            handle({ event: { subject } }) {
              calls.push(`${who} ${subject}`)
              if (subject === 'fails' || (who === 'next' && subject === 'hangs')) {
                throw new Error('not yet')
              }
              return who === 'old' && subject?.startsWith('hangs')
                ? new Promise(() => {})
                : undefined
            },
          }),
        ],
      })
    const emit = (orderingKey: string, subject: string) =>
      log.append([
        outboxEvent(
          { type: 'order.created', subject, orderingKey },
          { source: '/', traceparent: undefined },
        ),
      ])
    await emit('one', how)
    await emit('one', 'hangs too')
    for (const key of slotMates('one', 10)) await emit(key, key)
    const old = relayOf('old')
    old.start()
    await waitFor(() => calls.length === 12, { what: 'all to have begun' })
    if (how === 'fails') {
      const slots = [slotOf('one')]
      const filed = async () => (await log.held({ consumer: 'slow', slots })).length > 0
      await waitFor(filed, { what: 'the failure to be on file' })
    }
    await old.stop({ timeoutMs: 0 })
    const next = relayOf('next')
    next.start()
    await waitFor(() => calls.includes('next hangs too'), { what: 'the event that was cut off' })
    await next.stop()
  },
)

/** Ordering keys in the slot of this one. */
function slotMates(key: string, count: number): string[] {
  const mates: string[] = []
  for (let at = 0; mates.length < count; at += 1) {
    if (slotOf(`${at}`) === slotOf(key)) mates.push(`${at}`)
  }
  return mates
}

// A bug: what waited for the key of a slow event was not filed if it was more than the events that
// had ended behind it, and these ran again.
test('an event that ended behind many of another key does not run again after a stop', async () => {
  const { log } = logOf()
  const keys = Array.from({ length: 1_000 }, (_, at) => `key ${at}`)
  const [one = '', ...others] = keys
  const other = others.find((key) => slotOf(key) === slotOf(one)) ?? ''
  const emit = (subject: string, orderingKey: string) =>
    log.append([
      outboxEvent(
        { type: 'order.created', subject, orderingKey },
        { source: '/', traceparent: undefined },
      ),
    ])
  const seen: string[] = []
  const relayOf = (isSlow: boolean) =>
    createRelay({
      ...quick,
      log,
      consumers: [
        consumer({
          name: 'ordered',
          ordered: true,
          handle({ event: { subject } }) {
            seen.push(subject ?? '')
            return isSlow && subject === 'a1' ? new Promise(() => {}) : undefined
          },
        }),
      ],
    })
  for (const subject of ['a1', 'a2', 'a3', 'a4']) await emit(subject, one)
  await emit('b1', other)
  const old = relayOf(true)
  old.start()
  await waitFor(() => seen.length === 2, { what: 'a1 to begin and b1 to end' })
  await old.stop({ timeoutMs: 0 })
  const next = relayOf(false)
  next.start()
  await waitFor(() => seen.includes('a4'), { what: 'the last event' })
  await next.stop()
  expect(seen.filter((subject) => subject === 'b1')).toHaveLength(1)
  expect(seen.filter((subject) => subject !== 'b1')).toEqual(['a1', 'a1', 'a2', 'a3', 'a4'])
})
