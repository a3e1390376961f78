// A worker that sends webhooks. It stops gracefully on SIGTERM.
import type { Pool } from 'pg'
import type { DatabaseAddress } from '../../programs/server-options.ts'
import { openLog } from '../open-log.ts'
import { campaignWebhooks } from '../webhooks.ts'

const { database }: { readonly database: DatabaseAddress } = JSON.parse(process.argv[2] ?? '')
const { pool } = openLog('postgres', database)
const worker = campaignWebhooks(pool as Pool).createWorker({
  concurrency: 10,
  leaseMs: 4_000,
  pollMs: 500,
  maxUnfinished: 1_000_000,
})
worker.start()
process.once('SIGTERM', async () => {
  await worker.stop({ timeoutMs: 2_000 })
  process.exit(0)
})
console.log(JSON.stringify({ ready: true }))
