import { type Consumer, consumer, createRelay } from '@oncekey/outbox'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()

const relayOf = (of: Consumer<any>) => {
  const log = postgresLog({ client: database.pool() })
  return { log, relay: createRelay({ ...quick, log, consumers: [of] }) }
}

// A bug: the rounds of a relay that had been stopped called the consumer, recorded nothing and
// returned 0. So a function that a schedule calls, with rounds until nothing is left and then a
// stop, delivered the same events at each call from the second on.
test('a relay that was stopped runs rounds again', async () => {
  const seen: string[] = []
  const { log, relay } = relayOf(
    consumer({ name: 'again', handle: ({ event }) => seen.push(String(event.subject)) }),
  )
  for (const subject of ['one', 'two', 'three']) {
    await database.emit(subject)
    expect(await relay.runOnce()).toBe(1)
    await relay.stop()
    expect((await log.lag('again')).events).toBe(0)
  }
  relay.start()
  await database.emit('four')
  await waitFor(() => seen.includes('four'), { what: 'the fourth event' })
  await relay.stop()
  await database.emit('five')
  expect(await relay.runOnce()).toBe(1)
  await relay.stop()
  expect(seen).toEqual(['one', 'two', 'three', 'four', 'five'])
})

// A bug: a round ended with the page that it had read, also if none of that page's events was for
// the consumer. `runOnce` returned 0, which means that nothing is left, and whoever called it by a
// schedule until then came to the consumer's own events only after many schedules, or never.
test.each([
  ['a beginning', 'invoice.*', 600],
  ['a name', 'invoice.paid', 20_500],
])(
  'a round of a consumer that takes %s reads past events of other types',
  async (_, type, others) => {
    await database.query('truncate oncekey.outbox')
    const pool = database.pool()
    const emitted = [
      Array.from({ length: others }, () => ({ type: 'order.created' })),
      [{ type: 'invoice.paid' }],
    ]
    for (const events of emitted) {
      await transact(pool, (_, emit) => {
        for (const event of events) emit(event)
      })
    }
    const seen: string[] = []
    const { relay } = relayOf(
      consumer({
        name: type.replace('*', 'any'),
        types: [type],
        handle: ({ event }) => seen.push(event.type),
      }),
    )
    try {
      expect(await relay.runOnce()).toBe(1)
      expect(await relay.runOnce()).toBe(0)
    } finally {
      await relay.stop()
    }
    expect(seen).toEqual(['invoice.paid'])
  },
)
