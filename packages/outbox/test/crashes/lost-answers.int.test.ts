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
