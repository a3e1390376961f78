import {
  consumer,
  createRelay,
  deadLetterAlerts,
  deadLetters,
  PermanentError,
} from '@oncekey/outbox'
import { inbox, postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { quick } from '../databases/log-database.ts'
import { database, nameOf, now, relaying } from './relaying.ts'

describe('relays', () => {
  test('share the slots fairly, hand them over when one stops, and deliver every event once in all', async () => {
    const name = nameOf('shared')
    const seen: string[] = []
    const made = () => {
      const log = postgresLog({ client: database.pool({ max: 4 }) })
      const relay = createRelay<PoolClient>({
        ...quick,
        leaseMs: 600,
        log,
        consumers: [
          consumer({ ...now, name, handle: ({ event }) => void seen.push(String(event.subject)) }),
        ],
      })
      relay.start()
      return relay
    }
    const shares = async () =>
      (
        await database.query<{ count: number }>(
          `select count(*)::int as count from oncekey.cursors
             where consumer = $1 and relay is not null group by relay order by 1`,
          [name],
        )
      ).map(({ count }) => count)
    const one = made()
    await waitFor(async () => String(await shares()) === '64', { what: 'one to have all' })
    const others = [made(), made()]
    await waitFor(async () => ['20,22,22', '21,21,22'].includes(String(await shares())), {
      what: 'fair shares',
      timeoutMs: 20_000,
    })
    const subjects = Array.from({ length: 60 }, () => nameOf('shared-order'))
    await Promise.all(subjects.map((subject) => database.emit(subject)))
    await one.stop()
    await waitFor(() => seen.length >= 60, { what: 'all events' })
    await waitFor(async () => String(await shares()) === '32,32', {
      what: 'halves',
      timeoutMs: 20_000,
    })
    await Promise.all(others.map((relay) => relay.stop()))
    expect(seen.sort()).toEqual(subjects.sort())
  })
})

describe('the inbox', () => {
  test('takes a message in once out of fifty simultaneous deliveries', async () => {
    const client = database.pool({ max: 50 })
    const consumer = nameOf('fifty')
    const billing = inbox<PoolClient>({ client, consumer, maxTransactions: 50 })
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () =>
        billing.take('message-1', async ({ transaction }) => {
          await transaction.query('insert into effects values ($1, $2)', [consumer, 'message-1'])
        }),
      ),
    )
    expect(outcomes.filter(({ kind }) => kind === 'done')).toHaveLength(1)
    expect(await database.effects(consumer)).toEqual({ 'message-1': 1 })
  })

  test.each([
    ['is longer than an index takes', 'x'.repeat(2_001), /2000 bytes.*createHash/],
    ['has half a character in it', 'a\ud800', /must be text/],
    ['is empty', '', /must be text/],
  ])('refuses an id that %s, and says what to write', async (_, id, message) => {
    const billing = inbox<PoolClient>({ client: database.pool(), consumer: nameOf('billing') })
    await expect(billing.take(id, () => {})).rejects.toThrow(message)
    expect(await billing.take('x'.repeat(2_000), () => 'taken')).toMatchObject({ kind: 'done' })
  })

  test('undoes the writes of a failed message, and takes it in the next time', async () => {
    const consumer = nameOf('retry')
    const billing = inbox<PoolClient>({ client: database.pool(), consumer })
    const take = (fails: boolean) =>
      billing.take('m', async ({ transaction, emit }) => {
        await transaction.query('insert into effects values ($1, $2)', [consumer, 'm'])
        emit({ type: 'billed', subject: consumer })
        if (fails) throw new Error('no')
        return 42
      })
    await expect(take(true)).rejects.toThrow('no')
    expect(await take(false)).toEqual({ kind: 'done', result: 42 })
    expect(await take(false)).toEqual({ kind: 'duplicate' })
    expect(await database.effects(consumer)).toEqual({ m: 1 })
    expect(
      await database.query('select from oncekey.outbox where subject = $1', [consumer]),
    ).toHaveLength(1)
  })
})

describe('dead letters', () => {
  test('are previewed and redriven by the same filter, at a given rate, and take effect once', async () => {
    const name = nameOf('redriven')
    let isBroken = true
    const dead = deadLetters(postgresLog({ client: database.pool() }).deadLetters)
    const subjects = Array.from({ length: 6 }, () => nameOf('order'))
    await relaying(
      [
        consumer<PoolClient>({
          ...now,
          name,
          types: ['order.created'],
          async handle({ event, transaction }) {
            const tx = await transaction()
            await tx.query('insert into effects values ($1, $2)', [name, event.subject])
            if (isBroken) throw new PermanentError('broken deploy')
          },
        }),
      ],
      async () => {
        await Promise.all(subjects.map((subject) => database.emit(subject)))
        const filter = { origin: name }
        await waitFor(async () => (await dead.preview(filter)).matched === 6, {
          what: 'six dead letters',
        })
        isBroken = false
        const preview = await dead.redrive(filter, { preview: true })
        expect(preview).toMatchObject({ matched: 6, preview: true, redriven: [] })
        expect((await dead.preview(filter)).matched).toBe(6)
        const progress: number[] = []
        const { redriven, refused } = await dead.redrive(filter, {
          ratePerSecond: 20,
          onProgress: (so) => progress.push(so.redriven),
        })
        expect(redriven).toHaveLength(6)
        expect(refused).toEqual([])
        expect(progress.length).toBeGreaterThan(2)
        await waitFor(async () => Object.keys(await database.effects(name)).length === 6, {
          what: 'effects',
        })
        await waitFor(async () => (await dead.get(redriven[0] ?? ''))?.state === 'resolved', {
          what: 'the end',
        })
        const again = await dead.redrive({ ids: redriven })
        expect(again.redriven).toEqual([])
        await waitFor(
          async () => {
            const { refused: said } = await dead.redrive({ ids: redriven })
            return said.every(({ outcome }) => outcome === 'already-done')
          },
          { what: 'all to be done' },
        )
      },
    )
    expect(Object.values(await database.effects(name))).toEqual(Array(6).fill(1))
  })

  // A bug: refused letters were reported once in every portion, and redriven ones by their new
  // state.
  test('redriven by id go in portions, and each refused one is reported once', async () => {
    const name = nameOf('by-id')
    const log = postgresLog({ client: database.pool() })
    const dead = deadLetters(log.deadLetters)
    const handle = () => {
      throw new PermanentError('no')
    }
    await relaying([consumer<PoolClient>({ ...now, name, handle })], async () => {
      await Promise.all(Array.from({ length: 7 }, () => database.emit(nameOf('order'))))
      await waitFor(async () => (await dead.preview({ origin: name })).matched === 7, {
        what: 'seven dead letters',
      })
    })
    const { items } = await dead.list({ origin: name })
    const eventIds = items.slice(0, 2).map(({ eventId }) => eventId)
    await (await log.takeIn({ consumer: name, eventIds, timeoutMs: 5_000 })).commit([])
    const ids = items.map(({ id }) => id)
    const result = await dead.redrive({ ids: [...ids, 'no such'] }, { ratePerSecond: 20 })
    expect(result.redriven.toSorted()).toEqual(ids.slice(2).toSorted())
    expect(result.refused.toSorted((one, other) => one.id.localeCompare(other.id))).toEqual(
      [
        { id: ids[0], outcome: 'already-done' },
        { id: ids[1], outcome: 'already-done' },
        { id: 'no such', outcome: 'unknown' },
      ].toSorted((one, other) => String(one.id).localeCompare(String(other.id))),
    )
  })

  test('raise one alert when there are many, and one for each new kind of error', async () => {
    const name = nameOf('alerting')
    const { deadLetters: source } = postgresLog({ client: database.pool() })
    const dies = (message: string, count: number) =>
      relaying(
        [
          consumer({
            ...now,
            name,
            maxAttempts: 1,
            handle: () => {
              throw new Error(message)
            },
          }),
        ],
        async () => {
          await database.emit(nameOf('order'))
          await waitFor(async () => (await source.count({ origin: name })) === count, {
            what: 'a dead letter',
          })
        },
      )
    const said: string[] = []
    const alerts = deadLetterAlerts({
      source,
      maxDepth: 0,
      maxAgeMs: 0,
      onAlert: ({ kind }) => said.push(kind),
    })
    await dies('seen before', 1)
    await alerts.check()
    said.length = 0
    await dies(`never seen ${name}`, 2)
    await alerts.check()
    await alerts.check()
    expect(said).toEqual(['new-error'])
  })
})
