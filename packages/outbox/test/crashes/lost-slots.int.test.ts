import { SLOTS } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()

/**
 * Two more than `maxStarts`, because an event is suspected only after two holders have vanished.
 */
const LOSSES = 6

test.each([
  { what: 'a retry', failures: 1 },
  { what: 'a new event', failures: 0 },
])(
  '$what that ended while another relay had its slot is no poison, however often that is',
  async ({ failures }) => {
    const name = `lost-${failures}`
    const proxy = await startProxy(Number(new URL(database.url()).port))
    const client = database.pool({ connectionString: proxy.through(database.url()) })
    const rival = postgresLog({ client: database.pool() })
    let losses = 0

    /**
     * The relay is cut off for longer than its lease; another takes its slots and releases them.
     */
    async function loseSlots(): Promise<void> {
      proxy.stall()
      const request = { consumer: name, relay: 'rival', leaseMs: 60_000 }
      const slots = await waitFor(
        async () => {
          const { taken } = await rival.lease({ ...request, holding: slotsOf(held) })
          held.push(...taken)
          return held.length === SLOTS && held
        },
        { what: 'the rival to have the slots', timeoutMs: 20_000 },
      )
      await rival.release({ consumer: name, relay: 'rival', slots, leaving: true })
      held.length = 0
      proxy.resume()
    }
    const held: { slot: number; epoch: string }[] = []

    const relay = createRelay({
      ...quick,
      leaseMs: 600,
      log: postgresLog({ client }),
      consumers: [
        consumer<PoolClient>({
          name,
          startAt: 'now',
          backoff: () => 0,
          async handle({ attempt }) {
            if (attempt <= failures) throw new Error('not at once')
            if (losses === LOSSES) return
            losses += 1
            await loseSlots()
          },
        }),
      ],
    })
    try {
      await relay.runOnce()
      relay.start()
      await database.emit(name)
      await waitFor(async () => losses === LOSSES && (await isOver(rival, name)), {
        what: 'the event to be over',
        timeoutMs: 60_000,
      })
    } finally {
      proxy.resume()
      await relay.stop()
      await proxy.stop()
    }
    expect(await rival.deadLetters.count({ origin: name })).toBe(0)
  },
  90_000,
)

function slotsOf(held: readonly { slot: number; epoch: string }[]) {
  return held.map(({ slot, epoch }) => ({ slot, epoch }))
}

/** Whether the cursor has passed the event, and no delivery of it is retrying. */
async function isOver(log: ReturnType<typeof postgresLog>, name: string): Promise<boolean> {
  const { events } = await log.lag(name)
  if (events > 0) return false
  const rows = await database.query(
    "select 1 from oncekey.deliveries where consumer = $1 and state = 'retrying'",
    [name],
  )
  return rows.length === 0
}
