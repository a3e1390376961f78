import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()

// A bug: each claim whose reply was lost counted a start, so the event became poison.
test.each([
  { ordered: false, asks: 'take_due_3(' },
  { ordered: true, asks: 'take_runs_2(' },
])(
  'an event whose claims lost their answers is not poison (ordered: $ordered)',
  async ({ ordered, asks }) => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    const connectionString = proxy.through(database.url())
    const name = `ordered-${ordered}`
    const attempts: number[] = []
    let isFirstTried = (): void => {}
    const firstTried = new Promise<void>((resolve) => {
      isFirstTried = resolve
    })
    const relay = createRelay({
      ...quick,
      leaseMs: 60_000,
      log: postgresLog({ client: database.pool({ connectionString }) }),
      consumers: [
        consumer({
          name,
          ordered,
          startAt: 'now',
          backoff: () => 0,
          handle({ attempt }) {
            attempts.push(attempt)
            isFirstTried()
            if (attempt === 1) throw new Error('not at once')
          },
        }),
      ],
    })
    try {
      await relay.runOnce()
      relay.start()
      const losing = (async () => {
        await firstTried
        for (let lost = 0; lost < 6; lost += 1) await proxy.dropAfter(asks)
      })()
      await database.emit(name)
      await losing
      await waitFor(() => attempts.length > 1, { what: 'the second try' })
    } finally {
      await relay.stop()
      await proxy.stop()
    }
    expect(attempts).toEqual([1, 2])
    expect(
      await database.query('select state, reason from oncekey.deliveries where consumer = $1', [
        name,
      ]),
    ).toEqual([])
  },
)

// A bug: the claim was counted, but what it had claimed was dropped without a note that no process
// died of it.
test('a redriven event whose ordering key could not be counted is not poison', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const connectionString = proxy.through(database.url())
  const name = 'uncounted'
  let isDown = true
  const attempts: number[] = []
  const ordered = (client = database.pool()) =>
    createRelay({
      ...quick,
      leaseMs: 60_000,
      log: postgresLog({ client }),
      consumers: [
        consumer({
          name,
          ordered: true,
          startAt: 'now',
          maxAttempts: 1,
          handle({ attempt }) {
            if (isDown) throw new Error('away')
            attempts.push(attempt)
          },
        }),
      ],
    })
  const first = ordered()
  await first.runOnce()
  await database.emit(name)
  await first.runOnce()
  await first.stop()
  isDown = false
  const { deadLetters } = postgresLog({ client: database.pool() })
  const by = { actor: 'maria@shop.example', note: 'it is back' }
  expect(await deadLetters.redrive({ origin: name }, { limit: 1, ...by })).toMatchObject({
    redriven: [expect.any(String)],
  })

  const relay = ordered(database.pool({ connectionString }))
  try {
    relay.start()
    for (let lost = 0; lost < 5; lost += 1) await proxy.dropBefore('as k (slot, ordering_key)')
    await waitFor(
      async () => attempts.length > 0 || (await deadLetters.count({ origin: name })) > 0,
      { what: 'the event to be tried, or given up', timeoutMs: 30_000 },
    )
  } finally {
    await relay.stop()
    await proxy.stop()
  }
  expect(attempts).toEqual([1])
})

// A bug: a verdict that was sent again counted its attempt twice.
test('an attempt whose verdict lost its answer counts once', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const connectionString = proxy.through(database.url())
  const attempts: number[] = []
  const relay = createRelay({
    ...quick,
    leaseMs: 60_000,
    log: postgresLog({ client: database.pool({ connectionString }) }),
    consumers: [
      consumer({
        name: 'verdicts',
        startAt: 'now',
        backoff: () => 5,
        maxAttempts: 4,
        handle({ attempt }) {
          attempts.push(attempt)
          throw new Error(`no ${attempts.length}`)
        },
      }),
    ],
  })
  const { deadLetters } = postgresLog({ client: database.pool() })
  try {
    await relay.runOnce()
    relay.start()
    const lost = proxy.dropAfter('oncekey".settle_')
    await database.emit('verdicts')
    await lost
    await waitFor(async () => (await deadLetters.count({ origin: 'verdicts' })) === 1, {
      what: 'the dead letter',
    })
  } finally {
    await relay.stop()
    await proxy.stop()
  }
  expect(attempts).toEqual([1, 2, 3, 4])
  const { items } = await deadLetters.list({ origin: 'verdicts' }, { limit: 1 })
  const letter = await deadLetters.get(items[0]?.id ?? '')
  expect(letter?.history.map(({ error }) => error.message)).toEqual([
    'no 1',
    'no 2',
    'no 3',
    'no 4',
  ])
})
