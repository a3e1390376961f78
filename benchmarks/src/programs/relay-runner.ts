import { type EventLog, tell } from '@oncekey/core'
import { type Consumer, type ConsumerSettings, consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { type ClientBase, Pool } from 'pg'
import { monotonicMs } from '../clock.ts'
import { insertOrder, insertOrders, ORDER } from '../contenders/order.ts'
import { answer, cpuMicros } from '../verbs.ts'

let gateOpen = false
let handled = 0
let lastAt = 0

const verbs = {
  /** Starts a relay that takes slots and reads nothing before the gate opens. */
  start({ url, work, concurrency }: RelayRunnerOptions): void {
    const pool = new Pool({ connectionString: url, max: 2 * concurrency + 2, idleTimeoutMillis: 0 })
    const log = postgresLog<ClientBase>({ client: pool })
    const relay = createRelay({
      log: gated(log),
      consumers: [CONSUMERS[work]({ name: 'bench', concurrency }, pool)],
      batchSize: 500,
      leaseMs: 3_000,
    })
    relay.start()
  },

  /** Lets the relay read from now on, and returns the time. */
  openGate(): number {
    handled = 0
    gateOpen = true
    tell('oncekey:appended', () => ({ count: 1 }))
    return monotonicMs()
  },

  closeGate(): void {
    gateOpen = false
  },

  /** How many events were handled since the gate opened, and when the last one was. */
  progress(): { handled: number; lastAt: number } {
    return { handled, lastAt }
  },

  cpuMicros,
}

export interface RelayRunnerOptions {
  readonly url: string
  readonly work: Work
  /** How many events are under way at once; the default of a consumer if its work does not wait. */
  readonly concurrency: number
}

export type Work = keyof typeof CONSUMERS

export type RelayRunner = typeof verbs

/** The work for each event. */
const CONSUMERS = {
  nothing: (settings) => consumer({ ...settings, handle: () => count(1) }),

  /** One statement in autocommit, for a consumer whose write may happen twice. */
  'bare insert': (settings, pool) =>
    consumer({
      ...settings,
      async handle() {
        await insertOrder(pool, ORDER)
        count(1)
      },
    }),

  /** BEGIN, the insert and COMMIT, as a consumer with more than one statement does it. */
  'bare transaction': (settings, pool) =>
    consumer({
      ...settings,
      async handle() {
        const client = await pool.connect()
        try {
          await client.query('BEGIN')
          await insertOrder(client, ORDER)
          await client.query('COMMIT')
        } finally {
          client.release()
        }
        count(1)
      },
    }),

  inbox: (settings) =>
    consumer({
      ...settings,
      async handle({ transaction }) {
        await insertOrder(await transaction(), ORDER)
        count(1)
      },
    }),

  /** One statement for all events of a batch. */
  'inbox, batched': (settings) =>
    consumer({
      ...settings,
      batchSize: 100,
      async handleBatch({ begin }) {
        const { transaction, fresh } = await begin()
        await insertOrders(
          transaction,
          fresh.map(() => ORDER),
        )
        count(fresh.length)
      },
    }),
} satisfies Record<string, (settings: ConsumerSettings, pool: Pool) => Consumer<ClientBase>>

function count(events: number): void {
  handled += events
  lastAt = monotonicMs()
}

/** Lets relays share the slots before there is anything to read, so that they start at once. */
function gated<Tx>(log: EventLog<Tx>): EventLog<Tx> {
  return {
    ...log,
    read: async (request) =>
      gateOpen ? log.read(request) : { events: [], next: request.slots, more: false },
  }
}

answer(verbs)
