import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { slotOf } from '@oncekey/core'
import { consumer, deadLetters } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { database, nameOf, now, relaying } from './relaying.ts'

describe('a consumer', () => {
  test('that is ordered holds up only the ordering key that failed', async () => {
    const name = nameOf('ordered')
    const [broken, fine] = [nameOf('broken'), nameOf('fine')]
    const seen: string[] = []
    let isFixed = false
    await relaying(
      [
        consumer({
          ...now,
          name,
          ordered: true,
          maxAttempts: 1_000,
          async handle({ event }) {
            const { at } = event.data as { at: number }
            if (event.subject === broken && at === 1 && !isFixed) throw new Error('not yet')
            await setTimeout(Math.random() * 3)
            seen.push(`${event.subject} ${at}`)
          },
        }),
      ],
      async () => {
        const log = postgresLog({ client: database.pool() })
        const event = (subject: string, at: number) => ({
          id: crypto.randomUUID(),
          type: 'changed',
          source: '/',
          subject,
          orderingKey: subject,
          data: JSON.stringify({ at }),
          headers: {},
          occurredAt: new Date(),
        })
        for (let at = 0; at < 8; at += 1) await log.append([event(broken, at), event(fine, at)])
        await waitFor(() => seen.includes(`${fine} 7`), { what: 'the other key' })
        expect(seen.filter((each) => each.startsWith(broken))).toEqual([`${broken} 0`])
        isFixed = true
        await log.append([event(broken, 8)])
        await waitFor(() => seen.includes(`${broken} 8`), { what: 'the key that was held' })
      },
    )
    const inOrder = (subject: string, count: number) =>
      Array.from({ length: count }, (_, at) => `${subject} ${at}`)
    expect(seen.filter((each) => each.startsWith(fine))).toEqual(inOrder(fine, 8))
    expect(seen.filter((each) => each.startsWith(broken))).toEqual(inOrder(broken, 9))
  })

  test('that takes batches retries a failed batch one by one, and takes in the good events', async () => {
    const name = nameOf('batch')
    const sizes: number[] = []
    const subjects = Array.from({ length: 50 }, (_, at) => `${name}-${at}`)
    await relaying(
      [
        consumer<PoolClient>({
          ...now,
          name,
          maxAttempts: 1,
          batchSize: 100,
          async handleBatch({ begin, emit }) {
            const { transaction, fresh } = await begin()
            sizes.push(fresh.length)
            for (const { subject } of fresh) {
              await transaction.query('insert into effects values ($1, $2)', [name, subject])
              if (subject === `${name}-13`) throw new Error('unlucky')
              emit({ type: 'batch.taken', subject: `taken-${subject}`, orderingKey: name })
            }
          },
          types: ['order.created'],
        }),
      ],
      async () => {
        const log = postgresLog({ client: database.pool() })
        await log.append(
          subjects.map((subject) => ({
            id: crypto.randomUUID(),
            type: 'order.created',
            source: '/',
            subject,
            orderingKey: subject,
            data: 'null',
            headers: {},
            occurredAt: new Date(),
          })),
        )
        await waitFor(async () => Object.keys(await database.effects(name)).length === 49, {
          what: 'all but one',
        })
      },
    )
    expect(Math.max(...sizes)).toBeGreaterThan(10)
    const effects = await database.effects(name)
    expect(Object.values(effects)).toEqual(Array(49).fill(1))
    expect(effects[`${name}-13`]).toBeUndefined()
    const emitted = await database.query('select from oncekey.outbox where ordering_key = $1', [
      name,
    ])
    expect(emitted).toHaveLength(49)
  })
})

// A bug: the key was too long for an index, so no failed event could be filed.
test.each([{ ordered: false }, { ordered: true }])(
  'files an event whose ordering key is too long for an index like any other: %o',
  async ({ ordered }) => {
    const name = nameOf('long-key')
    const dead = deadLetters(postgresLog({ client: database.pool() }).deadLetters)
    const subject = nameOf('order')
    const type = nameOf('foreign')
    const handle = () => {
      throw new Error('no')
    }
    await relaying([consumer({ ...now, name, ordered, maxAttempts: 2, handle })], async () => {
      await database.query(
        `insert into oncekey.outbox (slot, id, type, source, ordering_key, data, headers, occurred_at)
         values (5, gen_random_uuid(), $1, '/', $2, '1', '{}', now())`,
        [type, randomBytes(3_000).toString('hex')],
      )
      await database.emit(subject)
      await waitFor(async () => (await dead.list({ origin: name })).items.length === 2, {
        what: 'both on file',
      })
    })
    const { items } = await dead.list({ origin: name })
    expect(items.map((letter) => letter.subject ?? letter.type).sort()).toEqual(
      [type, subject].sort(),
    )
  },
)

// A bug: the key was cut to fit the index, and after a restart the relay did not recognise it.
test('after a restart, events with an ordering key of 5,000 bytes still wait for an earlier failure', async () => {
  const name = nameOf('long-order')
  const type = nameOf('foreign')
  const orderingKey = `${type}${'k'.repeat(5_000)}`
  const handled: number[] = []
  let isFailing = true
  const made = () =>
    consumer<PoolClient>({
      ...now,
      name,
      ordered: true,
      types: [type],
      backoff: () => 300,
      handle({ event }) {
        if (isFailing) throw new Error('not yet')
        handled.push(Number(event.json))
      },
    })
  const put = (n: number) =>
    database.query(
      `insert into oncekey.outbox (slot, id, type, source, ordering_key, data, headers, occurred_at)
       values ($1, gen_random_uuid(), $2, '/', $3, $4::json, '{}', now())`,
      [slotOf(orderingKey), type, orderingKey, String(n)],
    )
  await relaying([made()], async () => {
    await put(1)
    await waitFor(
      async () =>
        (await database.query('select from oncekey.deliveries where consumer = $1', [name]))
          .length === 1,
      { what: 'the first to be on file' },
    )
  })
  isFailing = false
  for (const n of [2, 3, 4]) await put(n)
  await relaying([made()], async () => {
    await waitFor(() => handled.length === 4, { what: 'all four' })
  })
  expect(handled).toEqual([1, 2, 3, 4])
})
