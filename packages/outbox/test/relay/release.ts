// One release of consumer `orders`, which a test deploys beside another; TYPES lists its types. It
// stops gracefully on SIGTERM.
import { appendFileSync } from 'node:fs'
import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { Pool } from 'pg'

const { DATABASE_URL, LEDGER = '', TYPES = '', ORDERED } = process.env
const pool = new Pool({ connectionString: DATABASE_URL, max: 4 })
pool.on('error', () => {})
const relay = createRelay({
  log: postgresLog({ client: pool }),
  leaseMs: 900,
  minPollMs: 2,
  maxPollMs: 20,
  advanceEveryMs: 5,
  consumers: [
    consumer({
      name: 'orders',
      types: TYPES.split(','),
      ordered: ORDERED !== undefined,
      backoff: () => 5,
      // The ledger is a file outside the database, with one line for each delivery.
      handle: ({ event }) => appendFileSync(LEDGER, `${event.subject} ${event.type} ${TYPES}\n`),
    }),
  ],
})
await relay.runOnce()
relay.start()
process.once('SIGTERM', async () => {
  await relay.stop()
  process.exit(0)
})
console.log(JSON.stringify({ ready: true }))
