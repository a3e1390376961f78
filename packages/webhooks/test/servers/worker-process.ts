// A program that relays events to webhooks and sends them until it is killed; SIGTERM lets it
// finish.
import { createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { standardWebhooks, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 8 })
const hooks = webhooks({
  client: pool,
  allowAddresses: ['127.0.0.1'],
  allowHttp: true,
  timeoutMs: Number(process.env.TIMEOUT_MS),
  classify: standardWebhooks,
  schedule: (failures) => Math.min(failures * 50, 500),
  cooldownMs: 20,
  maxCooldownMs: 100,
})
const worker = hooks.createWorker({
  concurrency: Number(process.env.CONCURRENCY ?? 50),
  endpointConcurrency: Number(process.env.ENDPOINT_CONCURRENCY ?? 8),
  leaseMs: Number(process.env.TIMEOUT_MS) + 1_000,
  pollMs: 50,
  // A high limit, because this test kills processes all the time, and no delivery is the cause.
  maxUnfinished: Number(process.env.MAX_UNFINISHED ?? 1_000),
})
const relay = createRelay({
  log: postgresLog({ client: pool }),
  consumers: [hooks.consumer],
  leaseMs: 2_000,
})
relay.start()
worker.start()
process.once('SIGTERM', async () => {
  await relay.stop()
  await worker.stop({ timeoutMs: Number(process.env.STOP_TIMEOUT_MS ?? 10_000) })
  await pool.end()
})
console.log(JSON.stringify({ ready: true }))
