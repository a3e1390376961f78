// Checks out a client without an error listener, and the server ends its idle backend.
import { Pool } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
pool.on('error', () => {})
const client = await pool.connect()
await client.query('begin')
await client.query("set local idle_in_transaction_session_timeout = '50ms'")
console.log(JSON.stringify({ ready: true }))
setTimeout(() => process.exit(0), 20_000)
