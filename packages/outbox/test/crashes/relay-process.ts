// A relay for tests to kill. An event whose subject is `DEADLY` ends the process.
import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { Pool, type PoolClient } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
pool.on('error', () => {})
const deadly = process.env.DEADLY
const dieAfter = process.env.DIE_AFTER

const relay = createRelay<PoolClient>({
  log: postgresLog({ client: pool }),
  leaseMs: Number(process.env.LEASE_MS ?? 900),
  minPollMs: 2,
  maxPollMs: 50,
  advanceEveryMs: Number(process.env.ADVANCE_EVERY_MS ?? 10),
  consumers: [
    consumer<PoolClient>({
      name: 'once',
      maxStarts: Number(process.env.MAX_STARTS ?? 3),
      async handle({ event, transaction, emit }) {
        if (event.subject === deadly) process.exit(9)
        const tx = await transaction()
        await tx.query("insert into effects values ('once', $1)", [event.subject])
        if (event.type === 'order.created') {
          emit({ type: 'order.noted', subject: `note-of-${event.subject}` })
        }
      },
    }),
    consumer<PoolClient>({
      name: 'plain',
      types: ['order.created'],
      async handle({ event }) {
        await pool.query("insert into effects values ('plain', $1)", [event.subject])
        if (event.subject === dieAfter) process.kill(process.pid, 'SIGKILL')
      },
    }),
  ],
})
relay.start()
console.log(JSON.stringify({ ready: true }))
