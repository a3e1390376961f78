import { setTimeout } from 'node:timers/promises'
import { Pool } from 'pg'
import {
  DatabaseSetup,
  getDisabledLogger,
  initializePollingMessageListener,
} from 'pg-transactional-outbox'
import { ORDERS_TABLE } from '../contenders/order.ts'
import { JOB_DATA, jobData } from '../filled-events.ts'
import { bareRequest } from './bare-request.ts'
import { type JobData, POOL_SIZE, type Queue, type QueueOptions } from './queue.ts'

/**
 * Reads by polling. Messages are handled concurrently in any combination, with the same concurrency
 * as in the other queues. More are fetched when half of the previous ones are done.
 */
export function pgTransactionalOutbox({ url, concurrency }: QueueOptions): Queue {
  const pool = new Pool({ connectionString: url, max: POOL_SIZE })
  let stop = async (): Promise<void> => {}

  return {
    async prepare() {
      const setup = {
        outboxOrInbox: 'outbox',
        database: '',
        schema: 'public',
        table: 'outbox',
        listenerRole: '',
        nextMessagesName: 'next_outbox_messages',
      } as const
      await pool.query(DatabaseSetup.dropAndCreateTable(setup))
      await pool.query(DatabaseSetup.createPollingFunction(setup))
      await pool.query(DatabaseSetup.setupPollingIndexes(setup))
      await pool.query(ORDERS_TABLE)
    },
    async fill(count) {
      await pool.query('truncate outbox')
      await pool.query(
        `${INSERT} select gen_random_uuid(), 'order', n, 'job', 'parallel', ${JOB_DATA}::jsonb
           from generate_series(0, $1::int - 1) n`,
        [count],
      )
      await pool.query('analyze outbox')
      await pool.query('checkpoint')
    },
    request: (n) =>
      bareRequest(pool, (client) =>
        client.query(`${INSERT} values (gen_random_uuid(), 'order', $1, 'job', 'parallel', $2)`, [
          n,
          jobData(n),
        ]),
      ),
    async start(handle) {
      const [shutdown] = initializePollingMessageListener(
        {
          outboxOrInbox: 'outbox',
          dbListenerConfig: { connectionString: url },
          settings: {
            dbSchema: 'public',
            dbTable: 'outbox',
            enableMaxAttemptsProtection: false,
            enablePoisonousMessageProtection: false,
            nextMessagesFunctionName: 'next_outbox_messages',
            nextMessagesBatchSize: concurrency,
            nextMessagesPollingIntervalInMs: 50,
          },
        },
        { handle: async ({ payload }) => handle((payload as JobData).n) },
        getDisabledLogger(),
        {
          async batchSizeStrategy(running) {
            if (running <= concurrency / 2) return concurrency
            await setTimeout(1)
            return running
          },
        },
      )
      stop = shutdown
    },
    async pending() {
      const { rows } = await pool.query<{ count: number }>(
        'select count(*)::int as count from outbox where processed_at is null',
      )
      return rows[0]?.count ?? 0
    },
    stop: () => stop(),
  }
}

const INSERT =
  'insert into outbox (id, aggregate_type, aggregate_id, message_type, concurrency, payload)'
