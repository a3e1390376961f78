import { type SqsPublisherOptions, sqsPublisher } from '@oncekey/outbox/sqs'
import { inbox, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { HTTP } from 'cloudevents'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import {
  allConfirmed,
  deadOf,
  distinct,
  emitNumbered,
  expectAllInOrder,
  impatient,
  missingOnFile,
  relaying,
} from '../broker-stream.ts'
import { createQueue, freshName, pool, proxy, sqs, urlOf } from './aws-queues.ts'

/** No attempt runs out of time on a slow machine, so what is sent twice was not confirmed. */
const patient = { attemptTimeoutMs: 60_000 }

function publisherTo(name: string, options: Partial<SqsPublisherOptions> = {}) {
  const queueUrl = urlOf(name)
  return sqsPublisher<PoolClient>({ ...impatient, name, client: sqs, queueUrl, ...options })
}

test('publishes a CloudEvents message that the CloudEvents library reads, with the data as it was stored', async () => {
  const queue = await createQueue(`${freshName()}.fifo`)
  await relaying(pool, [publisherTo(queue.name)], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: 'größe 1',
        orderingKey: 'acme',
        source: '/shop',
        data: { sum: 5, text: 'a\u0000\ufffe' },
        headers: { tenant: 'acme', 'x-note': 'a "quoted" one' },
      }),
    )
    await waitFor(async () => (await queue.drain()).length === 1, { what: 'the message' })
  })
  const [{ attributes, body, deduplication, event, group }] = (await queue.drain()) as [
    Awaited<ReturnType<typeof queue.drain>>[number],
  ]
  expect({ attributes, group, deduplication }).toEqual({
    attributes: { 'ce-type': 'order.created', 'ce-source': '/shop' },
    group: 'acme',
    deduplication: `${queue.name}:${event.id}`,
  })
  const headers = { 'content-type': 'application/cloudevents+json' }
  const read = JSON.parse(JSON.stringify(HTTP.toEvent({ headers, body })))
  expect(read).toMatchObject({
    specversion: '1.0',
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    source: '/shop',
    type: 'order.created',
    subject: 'größe 1',
    partitionkey: 'acme',
    datacontenttype: 'application/json',
    data: { sum: 5, text: 'a\u0000\ufffe' },
  })
  expect(JSON.parse(read.headers)).toMatchObject({ tenant: 'acme', 'x-note': 'a "quoted" one' })
})

test('a FIFO queue has every event once and in order while answers are lost', async () => {
  const queue = await createQueue(`${freshName()}.fifo`)
  // Longer than a group may be, so the group is a hash.
  const keys = Array.from({ length: 20 }, (_, at) => `${queue.name}-${'k'.repeat(120)} ${at}`)
  const publisher = publisherTo(queue.name, { attemptTimeoutMs: 2_000 })
  const arrived = (count: number) =>
    waitFor(async () => distinct(await queue.numbered()) === count, {
      what: `${count} events`,
      timeoutMs: 60_000,
      intervalMs: 50,
    })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 5)
    await arrived(100)
    for (const from of [5, 10]) {
      await allConfirmed(pool, queue.name)
      // The queue takes what it is sent, and nobody hears of it.
      proxy.stallDownstream()
      await emitNumbered(pool, keys, 5, from)
      await waitFor(async () => distinct(await queue.numbered()) > from * keys.length, {
        what: 'a message without an answer',
        timeoutMs: 30_000,
      })
      proxy.cut()
      proxy.resume()
      await arrived((from + 5) * keys.length)
    }
  })
  const messages = await queue.numbered()
  expectAllInOrder(messages, keys, 15)
  expect(messages).toHaveLength(300)
  for (const { group } of await queue.drain()) expect(group).toMatch(/^[0-9a-f]{64}$/)
}, 300_000)

test('a standard queue may have an event twice, and an inbox of the event ids takes each once', async () => {
  const queue = await createQueue(freshName())
  const publisher = publisherTo(queue.name, patient)
  const billing = inbox({ client: pool, consumer: queue.name })
  await pool.query('create table charges (event uuid not null)')
  await relaying(pool, [publisher], async () => {
    const lost = proxy.dropAfter('order.numbered')
    await emitNumbered(pool, [queue.name], 1)
    await lost
    await waitFor(async () => (await queue.drain()).length === 2, {
      what: 'both copies',
      timeoutMs: 60_000,
    })
  })
  const kinds: string[] = []
  for (const { event } of await queue.drain()) {
    const { kind } = await billing.take(event.id, async ({ transaction }) => {
      await transaction.query('insert into charges values ($1)', [event.id])
    })
    kinds.push(kind)
  }
  expect(kinds).toEqual(['done', 'duplicate'])
  expect((await pool.query('select * from charges')).rows).toHaveLength(1)
})

test('an entry that the queue refuses is the only dead letter of its request, and no other is sent twice', async () => {
  const queue = await createQueue(freshName(), { MaximumMessageSize: '2048' })
  const sizes: number[] = []
  const publisher = publisherTo(queue.name, {
    ...patient,
    client: {
      send: (command: { input: { Entries: unknown[] } }, options: object) => {
        sizes.push(command.input.Entries.length)
        return sqs.send(command as never, options)
      },
    } as never,
  })
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 30; n += 1) {
        emit({ type: 'order.created', data: n === 15 ? 'x'.repeat(2_000) : n })
      }
    })
    await waitFor(async () => (await queue.drain()).length === 29, { what: 'the others' })
    return deadOf(pool, queue.name, 1)
  })
  expect(letter).toMatchObject({ attempts: 1, reason: 'permanent' })
  expect(letter?.error?.message).toContain('InvalidParameterValue')
  const numbers = (await queue.drain()).map(({ event }) => event.data)
  expect(numbers).toHaveLength(29)
  expect(new Set(numbers).size).toBe(29)
  expect(Math.max(...sizes)).toBe(10)
})

test('requests keep to the bytes that SQS takes, and a message above them is dead before it is sent', async () => {
  const queue = await createQueue(freshName())
  const refusals: unknown[] = []
  const publisher = publisherTo(queue.name, {
    ...patient,
    client: {
      send: async (...command: Parameters<typeof sqs.send>) => {
        try {
          return await sqs.send(...command)
        } catch (error) {
          refusals.push(error)
          throw error
        }
      },
    } as never,
  })
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      // Three of them are more than a request may be.
      for (let n = 0; n < 12; n += 1) emit({ type: 'order.created', data: 'x'.repeat(400_000) })
      emit({ type: 'order.created', data: 'x'.repeat(1_050_000) })
    })
    await waitFor(async () => (await queue.drain()).length === 12, {
      what: 'all that fit',
      timeoutMs: 60_000,
    })
    return deadOf(pool, queue.name, 1)
  })
  expect(letter?.error?.message).toContain('a request may be 1048576 (maxRequestBytes)')
  expect(refusals).toEqual([])
})

test('a queue created after its events were emitted gets them without a redrive', async () => {
  const name = freshName()
  const found = await relaying(pool, [publisherTo(name)], async () => {
    await emitNumbered(pool, [name], 3)
    await missingOnFile(pool, name)
    const queue = await createQueue(name)
    await waitFor(async () => distinct(await queue.numbered()) === 3, {
      what: 'the events',
      timeoutMs: 60_000,
    })
    return queue.numbered()
  })
  expectAllInOrder(found, [name], 3)
})

test('a missing queue delays no other, and after missingForMs its events are dead letters', async () => {
  const queue = await createQueue(freshName())
  const publisher = publisherTo(queue.name, {
    missingForMs: 100,
    queueUrl: ({ type }) => (type === 'order.lost' ? urlOf('nowhere') : queue.url),
  })
  const keys = Array.from({ length: 10 }, (_, at) => `${queue.name}-k${at}`)
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (const subject of keys) emit({ type: 'order.lost', subject: `${subject}-lost` })
    })
    await emitNumbered(pool, keys, 3)
    await waitFor(async () => distinct(await queue.numbered()) === 30, { what: 'the others' })
    return deadOf(pool, queue.name, 10)
  })
  expect(letters[0]?.error?.message).toContain('There is no queue')
})

test('refuses invalid options at construction', () => {
  const made = (options: object) => () => publisherTo('orders', options)
  expect(made({})).not.toThrow()
  expect(made({ client: {} })).toThrow(/client: new SQSClient/)
  expect(made({ queueUrl: 'orders' })).toThrow(/queueUrl must be/)
  expect(made({ batchSize: 11 })).toThrow(/from 1 to 10/)
  expect(made({ maxRequestBytes: 0 })).toThrow(/maxRequestBytes/)
})
