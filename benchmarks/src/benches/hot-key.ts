import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { EventLog, OutboxEvent } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { migrate, postgresLog } from '@oncekey/postgres'
import { type ClientBase, Pool } from 'pg'
import type { Bench } from '../bench.ts'
import { monotonicMs } from '../clock.ts'
import { durablePostgres } from '../durable-postgres.ts'

/** What one failure costs an ordering key with constant traffic. */
export const hotKeyBench: Bench = {
  name: 'hot-key',
  about: 'one ordering key before, during and after one failure of an ordered consumer',
  onlyByName: true,

  async run() {
    const postgres = await durablePostgres({})
    const pool = new Pool({ connectionString: await postgres.database(), max: 6 })
    try {
      await migrate(pool)
      const log = postgresLog<ClientBase>({ client: pool })
      let handled = 0
      let fails = 0
      const relay = createRelay({
        log,
        consumers: [
          consumer({
            name: 'hot',
            ordered: true,
            backoff: () => FAILED_FOR_MS,
            handle() {
              if (fails > 0) {
                fails -= 1
                throw new Error('once')
              }
              handled += 1
            },
          }),
        ],
      })
      await relay.runOnce()
      relay.start()

      const perSecond = async (): Promise<number> => {
        const from = handled
        const startedAt = monotonicMs()
        for (let at = 0; at < EVENTS; at += PORTION) await append(log)
        while (handled < from + EVENTS) await setTimeout(1)
        return (EVENTS * 1_000) / (monotonicMs() - startedAt)
      }
      const before = await perSecond()
      fails = 1
      const during = await perSecond()
      const after = await perSecond()
      await relay.stop()
      return {
        tables: [
          {
            title: `Events per second of one ordering key, ${EVENTS} at a time; the one that fails waits ${FAILED_FOR_MS} ms`,
            columns: ['', 'events/s'],
            rows: [
              ['before', before],
              ['with one failure', during],
              ['after it', after],
            ],
          },
        ],
        budgets: [],
        notes: [],
      }
    } finally {
      await pool.end()
      await postgres.stop()
    }
  },
}

async function append(log: EventLog<ClientBase>): Promise<void> {
  await log.append(
    Array.from(
      { length: PORTION },
      (): OutboxEvent => ({
        id: randomUUID(),
        type: 'order.changed',
        source: '/',
        subject: 'hot',
        orderingKey: 'hot',
        data: '{"total":12}',
        headers: {},
        occurredAt: new Date(),
      }),
    ),
  )
}

const EVENTS = 3_000
const PORTION = 50
const FAILED_FOR_MS = 500
