import { setTimeout } from 'node:timers/promises'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()
let names = 0

/**
 * Runs a relay with an ordered consumer, and records with which events its attempts began and
 * ended.
 */
async function inOrder(
  fails: (subject: string) => false | 'for now' | 'for good',
  options: { maxAttempts?: number; advanceEveryMs?: number } = {},
) {
  names += 1
  const name = `in-order-${names}`
  const log = postgresLog({ client: database.pool() })
  const calls: string[] = []
  const done: string[] = []
  const asked = { takeDue: 0, settle: 0, filed: 0 }
  const relay = createRelay({
    ...quick,
    advanceEveryMs: options.advanceEveryMs ?? quick.advanceEveryMs,
    log: {
      ...log,
      takeDue(request) {
        asked.takeDue += 1
        return log.takeDue(request)
      },
      settle(request) {
        asked.settle += 1
        return log.settle(request)
      },
      advance(request) {
        asked.filed += request.slots.reduce((sum, { failed }) => sum + failed.length, 0)
        return log.advance(request)
      },
    },
    consumers: [
      consumer({
        name,
        ordered: true,
        startAt: 'now',
        maxAttempts: options.maxAttempts ?? 1_000,
        backoff: () => 40,
        async handle({ event: { subject } }) {
          const what = String(subject)
          calls.push(what)
          await setTimeout(1)
          const failure = fails(what)
          if (failure === 'for good') throw new PermanentError('never')
          if (failure === 'for now') throw new Error('not yet')
          done.push(what)
        },
      }),
    ],
  })
  await relay.runOnce()
  relay.start()
  const key = `key-of-${name}`
  const pool = database.pool({ max: 1 })
  return {
    name,
    relay,
    log,
    calls,
    done,
    asked,
    async emit(...subjects: string[]) {
      for (const subject of subjects)
        await transact(pool, (_, emit) =>
          emit({ type: 'order.created', subject, orderingKey: key }),
        )
    },
  }
}

const patient = { timeoutMs: 30_000 }

test('a redriven event that fails holds up the events emitted after the redrive', async () => {
  const state: { failure: false | 'for now' | 'for good' } = { failure: 'for good' }
  const { name, relay, log, done, calls, emit } = await inOrder(
    (subject) => subject === '2' && state.failure,
  )
  await emit('1', '2')
  const isDead = async () => (await log.deadLetters.count({ origin: name })) === 1
  await waitFor(isDead, { what: 'a dead 2', ...patient })
  state.failure = 'for now'
  await log.deadLetters.redrive({ origin: name }, { limit: 10 })
  await emit('3', '4', '5')
  await waitFor(() => calls.filter((each) => each === '2').length >= 4, {
    what: 'more tries',
    ...patient,
  })
  expect(done).toEqual(['1'])
  state.failure = false
  await waitFor(() => done.length === 5, { what: 'all', ...patient })
  expect(done).toEqual(['1', '2', '3', '4', '5'])
  await relay.stop()
})

test('a letter redriven while another of its ordering key is retrying waits for the earlier one', async () => {
  const failures = new Map<string, 'for now' | 'for good'>([
    ['1', 'for good'],
    ['2', 'for now'],
  ])
  const { name, relay, log, done, calls, emit } = await inOrder(
    (subject) => failures.get(subject) ?? false,
  )
  await emit('1')
  const isDead = async () => (await log.deadLetters.count({ origin: name })) === 1
  await waitFor(isDead, { what: 'a dead 1', ...patient })
  await emit('2', '3', '4')
  await waitFor(() => calls.includes('2'), { what: 'a try of 2', ...patient })
  failures.set('1', 'for now')
  await log.deadLetters.redrive({ origin: name }, { limit: 10 })
  await waitFor(() => calls.filter((each) => each === '1').length >= 4, {
    what: 'tries of what was redriven',
    ...patient,
  })
  // As long as event 1 is being retried, no event behind it is tried.
  expect(new Set(calls.slice(calls.indexOf('1', 1)))).toEqual(new Set(['1']))
  failures.clear()
  await waitFor(() => done.length === 4, { what: 'all', ...patient })
  expect(done).toEqual(['1', '2', '3', '4'])
  await relay.stop()
})

test('deliveries that waited behind a failure are drained together, and then the ordering key is normal again', async () => {
  let broken = true
  const { name, relay, done, asked, emit } = await inOrder(
    (subject) => subject === '0' && broken && 'for now',
    { advanceEveryMs: 1_000 },
  )
  const subjects = Array.from({ length: 300 }, (_, at) => String(at))
  await emit(...subjects)
  await waitFor(() => asked.filed >= 300, { what: 'all of them on file', ...patient })
  const before = { ...asked }
  const onFile = async () => {
    const text = 'select count(*)::int from oncekey.deliveries where consumer = $1'
    return (await database.query<{ count: number }>(text, [name]))[0]?.count
  }
  broken = false
  await waitFor(() => done.length === 300, { what: 'all', ...patient })
  expect(done).toEqual(subjects)
  // The limits are a rate and a count, because the machine may be busy.
  expect(asked.takeDue - before.takeDue).toBeLessThan(40)
  expect(asked.settle - before.settle).toBeLessThan(40)

  await waitFor(async () => (await onFile()) === 0, { what: 'nothing on file', ...patient })
  await setTimeout(100)
  const filed = asked.filed
  await emit(...subjects.slice(0, 50).map((each) => `again-${each}`))
  await waitFor(() => done.length === 350, { what: 'those that came later', ...patient })
  expect(asked.filed).toBe(filed)
  await relay.stop()
})
