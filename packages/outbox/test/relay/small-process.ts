// A relay with little memory. With `FAILS` set, every event fails and ends as a dead letter.
import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { Pool, type PoolClient } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 4 })
const fails = process.env.FAILS !== undefined
let handled = 0

const relay = createRelay<PoolClient>({
  log: postgresLog({ client: pool }),
  minPollMs: 2,
  advanceEveryMs: 10,
  consumers: [
    consumer<PoolClient>({
      name: fails ? 'failing' : 'taking',
      startAt: 'beginning',
      concurrency: 50,
      maxAttempts: 2,
      backoff: () => 1,
      async handle({ event }) {
        if (event.json.length < 1_000_000) throw new Error('The event was cut.')
        handled += 1
        if (fails) throw new Error('no')
      },
    }),
  ],
})
relay.start()
console.log(JSON.stringify({ ready: true }))
process.on('message', () => {})
process.once('SIGTERM', async () => {
  await relay.stop()
  await pool.query('insert into effects values ($1, $2)', [
    'peak',
    JSON.stringify({ handled, kilobytes: process.resourceUsage().maxRSS }),
  ])
  await pool.end()
  process.exit(0)
})
