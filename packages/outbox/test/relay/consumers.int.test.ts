import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { DeadLetterMessage } from '@oncekey/core'
import { consumer, deadLetters, PermanentError } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { countStatements, resetStatements, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { gate } from '../databases/log-database.ts'
import { database, nameOf, now, relaying } from './relaying.ts'

describe('a consumer', () => {
  test('that never asks for a transaction costs no row per event and few cursor writes', async () => {
    const name = nameOf('cheap')
    const seen = new Set<string>()
    const subjects = Array.from({ length: 300 }, (_, at) => `${name}-${at}`)
    const handle = ({ event }: { event: { subject: string | null } }) =>
      seen.add(String(event.subject))
    await relaying([consumer({ ...now, name, handle })], async () => {
      await resetStatements(database.url())
      await Promise.all(subjects.map((subject) => database.emit(subject)))
      await waitFor(() => seen.size === 300, { what: 'all events' })
    })
    const calls = await countStatements(database.url())
    const advances = calls.filter(({ query }) => query.includes('.advance_3('))
    expect(advances.reduce((sum, { calls: count }) => sum + count, 0)).toBeLessThan(150)
    const counted = await database.query(
      `select (select count(*) from oncekey.deliveries where consumer = $1)::int as deliveries,
         (select count(*) from oncekey.processed_events where consumer = $1)::int as processed`,
      [name],
    )
    expect(counted).toEqual([{ deliveries: 0, processed: 0 }])
  })

  test('that fails is retried after ever longer waits, and its history is deleted once it succeeds', async () => {
    const name = nameOf('flaky')
    const attempts: number[] = []
    const subject = nameOf('order')
    await relaying(
      [
        consumer({
          ...now,
          name,
          handle({ event, attempt }) {
            if (event.subject !== subject) return
            attempts.push(attempt)
            if (attempt < 4) throw new Error('not yet')
          },
        }),
      ],
      async () => {
        await database.emit(subject)
        await waitFor(() => attempts.length === 4, { what: 'four attempts' })
      },
    )
    expect(attempts).toEqual([1, 2, 3, 4])
    expect(
      await database.query('select from oncekey.deliveries where consumer = $1', [name]),
    ).toEqual([])
  })

  test.each([
    [
      'a PermanentError',
      () => {
        throw new PermanentError('never')
      },
      'permanent',
      'PermanentError',
    ],
    [
      'an error that isPermanent accepts',
      () => {
        throw new RangeError('never')
      },
      'permanent',
      'RangeError',
    ],
    [
      'the same error every time',
      () => {
        throw new Error('no')
      },
      'exhausted',
      'Error',
    ],
    [
      'a thrown string',
      () => {
        throw 'text'
      },
      'exhausted',
      'NonError',
    ],
    ['a rejection with nothing', () => Promise.reject(), 'exhausted', 'NonError'],
    [
      'an error whose message cannot be read',
      () => {
        throw Object.defineProperty(new Error('x'), 'message', {
          get() {
            throw new Error('no')
          },
        })
      },
      'exhausted',
      'UnreadableError',
    ],
    [
      'a proxy that refuses every access',
      () => {
        const refuse = () => {
          throw new Error('no')
        }
        throw new Proxy({}, { get: refuse, getPrototypeOf: refuse })
      },
      'exhausted',
      'UnreadableError',
    ],
    ['no end at all', () => new Promise(() => {}), 'exhausted', 'OncekeyError'],
  ])('that ends in %s leaves a dead letter that says so', async (_, end, reason, error) => {
    const name = nameOf('failing')
    const heard: DeadLetterMessage[] = []
    const hear = (message: unknown) => void heard.push(message as DeadLetterMessage)
    subscribe('oncekey:dead-letter', hear)
    const dead = deadLetters(postgresLog({ client: database.pool() }).deadLetters)
    await relaying(
      [
        consumer<PoolClient>({
          ...now,
          name,
          maxAttempts: 2,
          attemptTimeoutMs: 100,
          isPermanent: (thrown) => thrown instanceof RangeError,
          handle: end,
        }),
      ],
      async () => {
        await database.emit(nameOf('order'))
        await waitFor(async () => (await dead.list({ origin: name })).items.length === 1, {
          what: 'a dead letter',
        })
      },
    )
    unsubscribe('oncekey:dead-letter', hear)
    const { items } = await dead.list({ origin: name })
    expect(items).toMatchObject([{ reason, error: { name: error } }])
    const letter = await dead.get(items[0]?.id ?? '')
    expect(letter?.history).toHaveLength(reason === 'permanent' ? 1 : 2)
    expect(heard.filter((message) => message.consumer === name)).toMatchObject([{ reason }])
  })

  test('that returns after its timeout has no effect: neither its writes nor its events are kept', async () => {
    const name = nameOf('late')
    const hold = gate()
    const outcomes: unknown[] = []
    const subject = nameOf('order')
    await relaying(
      [
        consumer<PoolClient>({
          ...now,
          name,
          attemptTimeoutMs: 100,
          async handle({ event, attempt, transaction, signal, emit }) {
            if (event.subject !== subject) return
            const tx = await transaction()
            if (attempt === 1) {
              await hold.opened
              outcomes.push(signal.reason?.code)
              await tx
                .query("insert into effects values ($1, 'late')", [name])
                .catch((error) => outcomes.push(error.code))
              try {
                emit({ type: 'too.late' })
              } catch (error) {
                outcomes.push((error as { code: string }).code)
              }
              return
            }
            await tx.query('insert into effects values ($1, $2)', [name, event.subject])
          },
        }),
      ],
      async () => {
        await database.emit(subject)
        await waitFor(async () => (await database.effects(name))[subject], {
          what: 'the second attempt',
        })
        hold.open()
        await waitFor(() => outcomes.length === 3, { what: 'the first to end' })
      },
    )
    expect(outcomes).toEqual(['delivery-timeout', 'transaction-over', 'attempt-over'])
    expect(await database.effects(name)).toEqual({ [subject]: 1 })
  })

  test('that is slow with one event holds up no other event', async () => {
    const name = nameOf('slow')
    const hold = gate()
    const seen = new Set<string>()
    const slow = nameOf('order')
    await relaying(
      [
        consumer({
          ...now,
          name,
          async handle({ event }) {
            if (event.subject === slow) await hold.opened
            seen.add(String(event.subject))
          },
        }),
      ],
      async () => {
        await database.emit(slow)
        const others = Array.from({ length: 200 }, () => nameOf('other'))
        await Promise.all(others.map((subject) => database.emit(subject)))
        await waitFor(() => others.every((subject) => seen.has(subject)), { what: 'the others' })
        expect(seen.has(slow)).toBe(false)
        hold.open()
        await waitFor(() => seen.has(slow), { what: 'the slow one' })
      },
    )
  })
})
