// Migrates or purges several schemas at once; tests kill it while it does.
import { migrate, purge } from '@oncekey/postgres'
import { Pool } from 'pg'
import type { WorkerOptions } from './worker-options.ts'

const { databaseUrl, work, schemas }: WorkerOptions = JSON.parse(process.argv[2] ?? '')
const pool = new Pool({ connectionString: databaseUrl, max: schemas.length })
pool.on('error', () => {})
console.log(JSON.stringify({ ready: true }))
await Promise.all(
  schemas.map((schema) => (work === 'migrate' ? migrate : purgeAll)(pool, { schema })),
)
console.log('done')

/** Each round has another limit, by which tests recognise its statements. */
async function purgeAll(client: Pool, { schema }: { schema: string }): Promise<void> {
  for (let limit = 21; (await purge(client, { schema, limit })).more; limit++);
}
