// Migrates as soon as the table `go` exists.
import { migrate } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 2 })
console.log(JSON.stringify({ ready: true }))
console.log('waiting')
await waitFor(() => pool.query('select from go'), { what: 'the table `go`', intervalMs: 1 })
await migrate(pool, { schema: process.env.SCHEMA ?? 'oncekey' })
await pool.end()
