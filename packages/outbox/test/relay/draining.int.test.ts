import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { gate, logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()

// A bug: the lease of a relay that was stopped ended while it waited for its last attempts. Another
// relay ran the same events beside them, and the slots counted a holder that had vanished.
test('a relay that waits for its last attempts for longer than a lease keeps their slots', {
  timeout: 60_000,
}, async () => {
  const [ending, calls] = [gate(), [] as string[]]
  const relayOf = (who: string) =>
    createRelay<PoolClient>({
      ...quick,
      leaseMs: 1_500,
      log: postgresLog({ client: database.pool({ max: 5 }) }),
      consumers: [
        consumer<PoolClient>({
          name: 'slow',
          async handle({ event: { subject }, transaction }) {
            calls.push(`${who} ${subject}`)
            if (who === 'old') await ending.opened
            const text = 'insert into effects values ($1, $2)'
            await (await transaction()).query(text, ['slow', subject])
          },
        }),
      ],
    })
  const cursors = async () =>
    await database.query<{ relay: string; crashes: number }>(
      `select relay, crashes from oncekey.cursors where consumer = 'slow' and relay is not null`,
    )
  const leasedUntil = async (relay: string): Promise<number> => {
    const text = 'select until from oncekey.relays where relay = $1'
    const [row] = await database.query<{ until: Date }>(text, [relay])
    return row?.until.getTime() ?? 0
  }

  const old = relayOf('old')
  old.start()
  await database.emit('one')
  await waitFor(() => calls.length === 1, { what: 'the attempt to begin' })
  const before = await leasedUntil(old.id)
  const stopping = old.stop({ timeoutMs: 60_000 })
  const next = relayOf('next')
  next.start()
  const isOver = async () => (await leasedUntil(next.id)) > before + 3_000
  await waitFor(isOver, { what: 'two leases to pass' })
  const held = await cursors()
  expect(held.filter(({ relay }) => relay === old.id)).toHaveLength(1)
  expect(held.filter(({ relay }) => relay === next.id)).toHaveLength(63)
  ending.open()
  await stopping
  await waitFor(async () => (await cursors()).every(({ relay }) => relay === next.id), {
    what: 'the last slot to change hands',
  })
  await next.stop()
  expect(calls).toEqual(['old one'])
  expect(await database.effects('slow')).toEqual({ one: 1 })
  expect(held.every(({ crashes }) => crashes === 0)).toBe(true)
})
