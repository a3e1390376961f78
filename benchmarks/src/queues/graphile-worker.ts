import { Logger, makeWorkerUtils, type Runner, run, runMigrations } from 'graphile-worker'
import { Pool } from 'pg'
import { ORDERS_TABLE } from '../contenders/order.ts'
import { jobData } from '../filled-events.ts'
import { bareRequest } from './bare-request.ts'
import type { JobData, Queue, QueueOptions } from './queue.ts'

/**
 * With the settings of its own performance test: jobs are fetched 500 at a time and completed in
 * batches, and the pool has a connection more than jobs are under way, up to the 25 it has there.
 */
export function graphileWorker({ url, concurrency }: QueueOptions): Queue {
  const pgPool = new Pool({ connectionString: url, max: Math.min(concurrency + 1, 25) })
  // It warns if nobody listens for errors.
  const fail = (error: Error): never => {
    throw error
  }
  pgPool.on('error', fail)
  pgPool.on('connect', (client) => client.on('error', fail))
  const logger = new Logger(() => () => {})
  let runner: Runner | undefined

  return {
    async prepare() {
      await runMigrations({ pgPool, logger })
      await pgPool.query(ORDERS_TABLE)
    },
    async fill(count) {
      await pgPool.query('truncate graphile_worker._private_jobs')
      const utils = await makeWorkerUtils({ pgPool, logger })
      for (let from = 0; from < count; from += 1_000) {
        const numbers = Array.from({ length: Math.min(1_000, count - from) }, (_, at) => from + at)
        await utils.addJobs(
          numbers.map((n) => ({ identifier: 'bench', payload: JSON.parse(jobData(n)) })),
        )
      }
      await utils.release()
      await pgPool.query('analyze graphile_worker._private_jobs')
      await pgPool.query('checkpoint')
    },
    request: (n) =>
      bareRequest(pgPool, (client) =>
        client.query(`select graphile_worker.add_job('bench', $1::json)`, [jobData(n)]),
      ),
    async start(handle) {
      runner = await run({
        pgPool,
        logger,
        noHandleSignals: true,
        taskList: { bench: (payload) => handle((payload as JobData).n) },
        preset: {
          worker: {
            concurrentJobs: concurrency,
            localQueue: { size: 500 },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0,
          },
        },
      })
    },
    async pending() {
      const { rows } = await pgPool.query<{ count: number }>(
        'select count(*)::int as count from graphile_worker._private_jobs',
      )
      return rows[0]?.count ?? 0
    },
    async stop() {
      await runner?.stop()
    },
  }
}
