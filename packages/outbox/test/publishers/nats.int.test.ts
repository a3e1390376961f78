import { DiscardPolicy, jetstream } from '@nats-io/jetstream'
import { natsPublisher } from '@oncekey/outbox/nats'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { emitNumbered, impatient, relaying } from './broker-stream.ts'
import { connected, freshStream, pool } from './nats-streams.ts'

test('publishes a CloudEvents message in binary mode, with a message id that names the publisher', async () => {
  const stream = await freshStream()
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: ({ type }) => `${stream.name}.${type}`,
  })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) =>
      emit({
        type: 'order.created',
        subject: 'größe 100% "x"',
        source: '/shop',
        data: { sum: 5 },
        headers: { traceparent, tenant: 'acme', 'Nats-Msg-Id': 'mine', 'ce-type': 'other' },
      }),
    )
    await waitFor(async () => (await stream.count()) === 1, { what: 'the message' })
  })
  const [message] = await stream.messages()
  expect(message?.subject).toBe(`${stream.name}.order.created`)
  expect(message?.string()).toBe('{"sum":5}')
  const headers = Object.fromEntries([...(message?.header ?? [])].map(([k, [v]]) => [k, v]))
  expect(headers).toEqual({
    'Nats-Msg-Id': `${stream.name}:${headers['ce-id']}:${stream.name}.order.created`,
    tenant: 'acme',
    traceparent,
    'ce-specversion': '1.0',
    'ce-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    'ce-source': '/shop',
    'ce-type': 'order.created',
    'ce-subject': 'gr%C3%B6%C3%9Fe%20100%25%20%22x%22',
    'ce-time': expect.stringMatching(/^\d{4}-.*Z$/),
    'ce-datacontenttype': 'application/json',
    'ce-partitionkey': 'gr%C3%B6%C3%9Fe%20100%25%20%22x%22',
    'ce-traceparent': traceparent,
  })
})

test('two publishers into one stream each deliver every event once', async () => {
  const stream = await freshStream()
  const js = jetstream(await connected())
  const to = (name: string) =>
    natsPublisher<PoolClient>({
      ...impatient,
      name: `${stream.name}-${name}`,
      jetstream: js,
      subject: ({ type }) => `${stream.name}.${name}.${type}`,
    })
  await relaying(pool, [to('billing'), to('shipping')], async () => {
    await emitNumbered(pool, ['a', 'b', 'c', 'd'], 5)
    await waitFor(async () => (await stream.count()) === 40, { what: 'both copies of all' })
  })
  const subjects = (await stream.messages()).map(({ subject }) => subject.split('.')[1])
  expect(subjects.filter((name) => name === 'billing')).toHaveLength(20)
  expect(subjects.filter((name) => name === 'shipping')).toHaveLength(20)
})

test('another publisher of the same name, with subjects of its own, takes no message from it', async () => {
  const stream = await freshStream()
  const js = jetstream(await connected())
  const to = (where: string) =>
    natsPublisher<PoolClient>({
      ...impatient,
      name: stream.name,
      jetstream: js,
      subject: () => `${stream.name}.${where}`,
    })
  await relaying(pool, [to('theirs')], async () => {
    await emitNumbered(pool, ['a'], 2)
    await waitFor(async () => (await stream.count()) === 2, { what: 'theirs' })
  })
  await postgresLog({ client: pool }).retire(stream.name)
  const ours = { ...to('ours'), startAt: 'beginning' } as const
  await relaying(pool, [ours], async () => {
    await waitFor(
      async () =>
        (await stream.messages()).filter(({ subject }) => subject.endsWith('.ours')).length >= 2,
      { what: 'ours' },
    )
  })
})

test('a full stream holds up no other stream, even if each event has its own subject', async () => {
  const full = await freshStream({ max_msgs: 1, discard: DiscardPolicy.New })
  const other = await freshStream()
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    // Events behind a refused one would not finish within the test.
    attemptTimeoutMs: 120_000,
    backoff: () => 1_000,
    name: other.name,
    jetstream: jetstream(await connected()),
    subject: ({ subject }) => String(subject),
  })
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 250; n += 1) emit({ type: 'order.created', subject: `${full.name}.${n}` })
    })
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 50; n += 1) emit({ type: 'order.created', subject: `${other.name}.${n}` })
    })
    await waitFor(async () => (await other.count()) === 50, {
      what: 'those of the other stream',
      timeoutMs: 20_000,
    })
    expect(await full.count()).toBe(1)
  })
})

test('refuses invalid options at construction', async () => {
  const js = jetstream(await connected())
  expect(() => natsPublisher({ name: 'x', jetstream: undefined as never })).toThrow(
    /jetstream\(connection\)/,
  )
  expect(() => natsPublisher({ name: 'x', jetstream: js, subject: 'a' as never })).toThrow(
    /event\.type/,
  )
  expect(() => natsPublisher({ name: 'not this', jetstream: js })).toThrow(/name must be/)
})
