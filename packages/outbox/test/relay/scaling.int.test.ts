import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, consumer, createRelay } from '@oncekey/outbox'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'

const database = logDatabase()
const KEYS = Array.from({ length: 30 }, (_, at) => `k${at}`)

/** What consumers saw that nothing excuses while no process dies. */
function ledger() {
  const begun = new Set<string>()
  const underWay = new Set<string>()
  const findings: string[] = []
  let ended = 0
  const work = (name: string, ordered: boolean): Consumer<PoolClient> =>
    consumer<PoolClient>({
      name,
      ordered,
      concurrency: 20,
      maxAttempts: 1_000,
      backoff: () => 20,
      async handle({ event: { id, orderingKey }, attempt }) {
        const delivery = `${name}: ${id}, attempt ${attempt}`
        if (begun.has(delivery)) findings.push(`twice: ${delivery}`)
        begun.add(delivery)
        if (ordered && underWay.has(orderingKey)) findings.push(`beside another: ${delivery}`)
        if (ordered) underWay.add(orderingKey)
        try {
          await sleep(Math.random() < 0.02 ? 500 : Math.random() * 30)
          if (Math.random() < 0.05) throw new Error('It is to be tried again.')
          ended += 1
        } finally {
          if (ordered) underWay.delete(orderingKey)
        }
      },
    })
  return {
    findings,
    ended: () => ended,
    consumers: () => [work('plain', false), work('ordered', true)],
  }
}

// Bugs: a relay that was stopped had events run again that had ended, because a slow one was in
// front of them; and a slot that changed hands while a page was being read was run by two relays.
test('relays that come and go deliver no event twice, and a key one event at a time', async () => {
  const { findings, ended, consumers } = ledger()
  const pool: Pool = database.pool({ max: 30 })
  const relayOf = () =>
    createRelay<PoolClient>({
      log: postgresLog({ client: pool }),
      consumers: consumers(),
      minPollMs: 1,
      maxPollMs: 20,
      advanceEveryMs: 5,
    })
  const steady = relayOf()
  steady.start()
  let emitted = 0
  let comings = 0
  const comeAndGo = async (how: 'start' | 'round'): Promise<void> => {
    for (; comings < 30; comings += 1) {
      const relay = relayOf()
      if (how === 'start') relay.start()
      const round = how === 'round' ? relay.runOnce() : undefined
      await sleep(100 + Math.random() * 300)
      await relay.stop()
      await round
    }
  }
  const produce = async (): Promise<void> => {
    for (; comings < 30; emitted += 1) {
      const subject = KEYS[Math.floor(Math.random() * KEYS.length)] as string
      await transact(pool, (_, emit) => emit({ type: 'order.created', subject }))
    }
  }
  await Promise.all([produce(), comeAndGo('start'), comeAndGo('start'), comeAndGo('round')])
  await waitFor(() => ended() >= 2 * emitted, { what: 'all events', timeoutMs: 60_000 })
  await steady.stop()
  expect(findings).toEqual([])
  expect(ended()).toBe(2 * emitted)
}, 120_000)
