import { Pool } from 'pg'
import PgBoss from 'pg-boss'
import { ORDERS_TABLE } from '../contenders/order.ts'
import { jobData } from '../filled-events.ts'
import { bareRequest } from './bare-request.ts'
import { type JobData, POOL_SIZE, type Queue, type QueueOptions } from './queue.ts'

/**
 * Uses big batches, no priorities, and fetches the next batch at once instead of after the
 * interval.
 */
export function pgBoss({ url }: QueueOptions): Queue {
  const pool = new Pool({ connectionString: url, max: POOL_SIZE })
  const boss = new PgBoss({ connectionString: url, max: 10, supervise: false, schedule: false })
  const started = boss.start()

  return {
    async prepare() {
      await started
      await boss.createQueue('bench')
      await pool.query(ORDERS_TABLE)
    },
    async fill(count) {
      await pool.query('truncate pgboss.job')
      for (let from = 0; from < count; from += 1_000) {
        const numbers = Array.from({ length: Math.min(1_000, count - from) }, (_, at) => from + at)
        await boss.insert(numbers.map((n) => ({ name: 'bench', data: JSON.parse(jobData(n)) })))
      }
      await pool.query('analyze pgboss.job')
      await pool.query('checkpoint')
    },
    async request(n) {
      await started
      await bareRequest(pool, (client) =>
        boss.send('bench', JSON.parse(jobData(n)), {
          db: { executeSql: (text, values) => client.query(text, values) },
        }),
      )
    },
    async start(handle) {
      // Two workers, so that one batch is fetched while the other is handled.
      for (let worker = 0; worker < 2; worker += 1) await work(handle)
    },
    async pending() {
      const { rows } = await pool.query<{ count: number }>(
        `select count(*)::int as count from pgboss.job where state <> 'completed'`,
      )
      return rows[0]?.count ?? 0
    },
    async stop() {
      await boss.offWork('bench')
    },
  }

  async function work(handle: (n: number) => unknown): Promise<void> {
    const options = { batchSize: 500, pollingIntervalSeconds: 0.5, priority: false }
    const id: string = await boss.work<JobData>('bench', options, async (jobs) => {
      boss.notifyWorker(id)
      await Promise.all(jobs.map(({ data }) => handle(data.n)))
    })
  }
}
