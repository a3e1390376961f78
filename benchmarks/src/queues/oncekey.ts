import { randomUUID } from 'node:crypto'
import { once } from '@oncekey/core'
import { consumer, createRelay, type Relay } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore } from '@oncekey/postgres'
import { type ClientBase, Pool } from 'pg'
import { insertOrder, ORDER, ORDERS_TABLE } from '../contenders/order.ts'
import { fillEvents, jobData } from '../filled-events.ts'
import { type JobData, POOL_SIZE, type Queue, type QueueOptions } from './queue.ts'

/** Oncekey with default options. */
export function oncekey({ url, concurrency }: QueueOptions): Queue {
  const pool = new Pool({ connectionString: url, max: POOL_SIZE })
  const requests = once({
    store: postgresStore<ClientBase>({ client: pool }),
    namespace: 'bench',
  })
  const log = postgresLog<ClientBase>({ client: pool })
  let relay: Relay | undefined

  return {
    async prepare() {
      await migrate(pool)
      await pool.query(ORDERS_TABLE)
    },
    async fill(count) {
      const client = await pool.connect()
      await fillEvents(client, { from: 0, count })
      client.release()
    },
    async request(n) {
      const data = JSON.parse(jobData(n))
      await requests.run(
        { scope: 'account-1', key: randomUUID(), input: data },
        async (context) => {
          const placed = await insertOrder(await context.transaction(), ORDER)
          context.emit({ type: 'job', subject: placed.id, data })
          return placed
        },
      )
    },
    async start(handle) {
      const bench = consumer<ClientBase, JobData>({
        name: 'bench',
        concurrency,
        handle: ({ event }) => handle(event.data.n),
      })
      relay = createRelay({ log, consumers: [bench] })
      relay.start()
    },
    pending: async () => (await log.lag('bench')).events,
    async stop() {
      await relay?.stop()
    },
  }
}
