// Opens a data folder, finishes one key and leaves another running.
import { PGlite } from '@electric-sql/pglite'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { attemptOf, claimOf, kept } from '../database/claims.ts'

const client = fromPglite(new PGlite(process.env.DATA_DIR ?? ''))
await migrate(client)
const store = postgresStore({ client })
await attemptOf(await store.begin(claimOf({ key: 'finished' }))).complete(kept('done'))
await store.begin(claimOf({ key: 'running' }))
console.log(JSON.stringify({ ready: true }))
setInterval(() => {}, 1_000)
