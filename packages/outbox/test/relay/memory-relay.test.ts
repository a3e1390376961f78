import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate, setTimeout } from 'node:timers/promises'
import {
  type MemoryStore,
  type MemoryTransaction,
  memoryLog,
  memoryStore,
  once,
  type RelayErrorMessage,
} from '@oncekey/core'
import { consumer, createEventBus, createRelay, deadLetters, PermanentError } from '@oncekey/outbox'
import { describe, expect, test } from 'vitest'

/** Commits an event for each subject, as a request would. */
async function emit(store: MemoryStore, ...subjects: string[]): Promise<void> {
  for (const subject of subjects) {
    const attempt = await store.open({ leaseMs: 1_000 })
    await attempt.complete({
      response: { status: 201, headers: [], body: new Uint8Array(), seal: null },
      writes: 'keep',
      events: [
        {
          id: randomUUID(),
          type: 'order.created',
          source: '/',
          subject,
          orderingKey: subject,
          data: JSON.stringify({ subject }),
          headers: { traceparent: '00-1-2-01' },
          occurredAt: new Date(),
        },
      ],
    })
  }
}

describe('a relay', () => {
  test('delivers the waiting events in one round and returns their number', async () => {
    const store = memoryStore()
    const seen: unknown[] = []
    const relay = createRelay({
      log: memoryLog(store),
      consumers: [
        consumer({
          name: 'one',
          handle: ({ event, traceparent }) => seen.push([event.data, event.headers, traceparent]),
        }),
        consumer({ name: 'two', types: ['nothing'], handle: () => seen.push('wrong') }),
      ],
    })
    await emit(store, 'a')
    expect(await relay.runOnce()).toBe(1)
    expect(await relay.runOnce()).toBe(0)
    expect(seen).toEqual([[{ subject: 'a' }, { traceparent: '00-1-2-01' }, '00-1-2-01']])
    await relay.stop()
  })

  test('commits the effect, the inbox row and the events of a consumer together, each once', async () => {
    const store = memoryStore()
    const log = memoryLog(store)
    const noted: unknown[] = []
    const relay = createRelay<MemoryTransaction>({
      log,
      consumers: [
        consumer<MemoryTransaction>({
          name: 'effect',
          types: ['order.created'],
          backoff: () => 0,
          async handle({ event, attempt, transaction, emit: emitting, deriveKey }) {
            const tx = await transaction()
            tx.set(`effect-${event.subject}`, Number(tx.get(`effect-${event.subject}`) ?? 0) + 1)
            emitting({
              type: 'order.noted',
              subject: String(event.subject),
              data: deriveKey('call'),
            })
            if (attempt < 3) throw new Error('not yet')
          },
        }),
        consumer({
          name: 'noted',
          types: ['order.noted'],
          handle: ({ event }) =>
            noted.push([event.subject, event.source, event.headers.traceparent]),
        }),
      ],
    })
    await emit(store, 'a')
    for (let rounds = 0; rounds < 6; rounds += 1) {
      await relay.runOnce()
      await setTimeout(2)
    }
    expect(store.data.get('effect-a')).toBe(1)
    expect(noted).toEqual([['a', '/effect', '00-1-2-01']])
    await relay.stop()
  })

  test('passes events that were taken in before, without a second effect', async () => {
    const store = memoryStore()
    const log = memoryLog(store)
    await emit(store, 'a')
    const [event] = store.events
    const taken = await log.takeIn({
      consumer: 'again',
      eventIds: [event?.id ?? ''],
      timeoutMs: 100,
    })
    await taken.commit([])
    let after = 0
    const relay = createRelay<MemoryTransaction>({
      log,
      consumers: [
        consumer<MemoryTransaction>({
          name: 'again',
          async handle({ transaction }) {
            await transaction()
            after += 1
          },
        }),
      ],
    })
    expect(await relay.runOnce()).toBe(1)
    expect(after).toBe(0)
    expect(await log.deadLetters.count({})).toBe(0)
    await relay.stop()
  })

  test('is woken by a commit in its own process', async () => {
    const store = memoryStore()
    const right = memoryLog(store)
    let reads = 0
    const log = {
      ...right,
      read(request: Parameters<typeof right.read>[0]) {
        reads += 1
        return right.read(request)
      },
    }
    const relay = createRelay({
      log,
      minPollMs: 0,
      maxPollMs: 60_000,
      consumers: [consumer({ name: 'woken', handle: () => {} })],
    })
    relay.start()
    // At this point it polls a few times a second, and more and more rarely.
    while (reads < 11) await setTimeout(5)
    const job = once({ store, namespace: 'jobs' })
    const before = reads
    await job.run({ scope: 'tenant', key: '1' }, ({ emit: emitting }) => {
      emitting({ type: 'order.created' })
    })
    for (let turns = 0; reads === before && turns < 50; turns += 1) await setImmediate()
    expect(reads).toBeGreaterThan(before)
    await relay.stop()
  })

  test('on stop waits for attempts under way, aborts slow ones and leaves their events to the next relay', async () => {
    const store = memoryStore()
    const log = memoryLog(store)
    const ended: string[] = []
    const aborted: unknown[] = []
    const made = (stubborn: boolean) =>
      createRelay({
        log,
        maxPollMs: 5,
        consumers: [
          consumer({
            name: 'slow',
            async handle({ event, signal }) {
              if (event.subject === 'stubborn' && stubborn) {
                signal.addEventListener('abort', () => aborted.push(signal.reason.code))
                await new Promise(() => {})
              }
              await setTimeout(30)
              ended.push(String(event.subject))
            },
          }),
        ],
      })
    const first = made(true)
    await emit(store, 'quick', 'stubborn')
    first.start()
    await setTimeout(60)
    await emit(store, 'under-way')
    while ((await log.lag('slow')).events < 2) await setTimeout(2)
    await first.stop({ timeoutMs: 200 })
    expect(aborted).toEqual(['lease-lost'])
    const second = made(false)
    second.start()
    for (let turns = 0; !ended.includes('stubborn') && turns < 500; turns += 1) await setTimeout(2)
    await second.stop()
    expect(ended.filter((subject) => subject === 'quick')).toHaveLength(1)
    expect(ended).toContain('stubborn')
    expect(ended).toContain('under-way')
    expect(await log.deadLetters.count({})).toBe(0)
  })

  test('retries when its log fails, and reports the failure', async () => {
    const store = memoryStore()
    const right = memoryLog(store)
    let failing = 3
    const log = {
      ...right,
      async read(request: Parameters<typeof right.read>[0]) {
        failing -= 1
        if (failing >= 0) throw new Error('the network is down')
        return right.read(request)
      },
    }
    const told: RelayErrorMessage[] = []
    const hear = (message: unknown) => void told.push(message as RelayErrorMessage)
    subscribe('oncekey:relay-error', hear)
    const seen: string[] = []
    const relay = createRelay({
      log,
      consumers: [consumer({ name: 'patient', handle: ({ event }) => void seen.push(event.type) })],
    })
    await emit(store, 'a')
    relay.start()
    for (let turns = 0; seen.length === 0 && turns < 1_000; turns += 1) await setTimeout(5)
    await relay.stop()
    unsubscribe('oncekey:relay-error', hear)
    expect(seen).toEqual(['order.created'])
    expect(told.map(({ during, consumer: of }) => [during, of])).toEqual(
      Array(3).fill(['read', 'patient']),
    )
  })
})

describe('the event bus', () => {
  test('calls durable subscribers with published events and with the events they emit', async () => {
    const store = memoryStore()
    const log = memoryLog(store)
    const seen: string[] = []
    const made = () => {
      const bus = createEventBus<MemoryTransaction>({ log })
      bus.subscribe('order.created', 'payment', ({ event, emit: emitting }) => {
        seen.push(`payment ${event.subject}`)
        emitting({ type: 'payment.processed', subject: String(event.subject) })
      })
      bus.subscribe('*', 'audit', ({ event }) => void seen.push(`audit ${event.type}`))
      bus.subscribe(
        'order.created',
        'email',
        () => {
          throw new PermanentError('no')
        },
        { maxAttempts: 1 },
      )
      return bus
    }
    const first = made()
    await first.publish({ type: 'order.created', subject: 'order-1' })
    await first.runOnce()
    await first.runOnce()
    await first.stop()
    expect(seen.sort()).toEqual([
      'audit order.created',
      'audit payment.processed',
      'payment order-1',
    ])
    expect((await deadLetters(log.deadLetters).stats()).depth).toBe(1)
    // Published while no relay runs.
    const second = made()
    await second.publish({ type: 'order.shipped' })
    expect(await second.runOnce()).toBe(1)
    await second.stop()
    expect(seen).toContain('audit order.shipped')
  })
})

describe('dead letters that are redriven by id', () => {
  // A bug: refused letters were reported once in every portion, and redriven ones by their new
  // state.
  test('are redriven in portions, and each refused one is reported once', async () => {
    const store = memoryStore()
    const log = memoryLog(store)
    const subjects = Array.from({ length: 7 }, (_, at) => `order-${at}`)
    const handle = () => {
      throw new PermanentError('no')
    }
    const relay = createRelay({ log, consumers: [consumer({ name: 'print', handle })] })
    await emit(store, ...subjects)
    await relay.runOnce()
    await relay.stop()
    const dead = deadLetters(log.deadLetters)
    const { items } = await dead.list()
    // A whole portion of letters took effect after all, so there is nothing to put back.
    const eventIds = items.slice(0, 2).map(({ eventId }) => eventId)
    await (await log.takeIn({ consumer: 'print', eventIds, timeoutMs: 1_000 })).commit([])
    const ids = items.map(({ id }) => id)
    const result = await dead.redrive({ ids: [...ids, 'no such'] }, { ratePerSecond: 20 })
    expect(result).toEqual({
      id: expect.any(String),
      matched: 7,
      preview: false,
      redriven: ids.slice(2),
      refused: [
        { id: ids[0], outcome: 'already-done' },
        { id: ids[1], outcome: 'already-done' },
        { id: 'no such', outcome: 'unknown' },
      ],
    })
  })
})
