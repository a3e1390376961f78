// Retires the consumer 'email'.
import { postgresLog } from '@oncekey/postgres'
import { Pool } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 1 })
const log = postgresLog({ client: pool })
console.log(JSON.stringify({ ready: true }))
await log.retire('email')
console.log('retired')
await pool.end()
