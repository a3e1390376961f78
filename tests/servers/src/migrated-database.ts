import { createHash } from 'node:crypto'
import { Pool } from 'pg'
import { type Database, freshDatabase, onServer } from './database.ts'

/** The migrations of a package, as `@oncekey/postgres` describes them. */
export interface Migrations {
  readonly package: string
  readonly migrations: readonly ((schema: string) => readonly string[])[]
}

/**
 * Creates a database on the server of `url` that is migrated already. The migrations run once for
 * each server, in the first process that asks; every database is a copy of the one they made.
 *
 * Call `migrate` on the copy, too, as for any copy of a database. Nothing is due there, so that
 * takes milliseconds.
 */
export async function migratedDatabase(
  url: string,
  migrations: readonly Migrations[],
  migrate: (client: Pool) => Promise<void>,
): Promise<Database> {
  // A server outlives an edit of a migration while Vitest watches.
  const name = `migrated_${digestOf(migrations)}`
  await onServer(url, async (client) => {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [name])
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (rowCount === 0) await makeTemplate(url, name, migrate)
    // The session ends here, and with it the lock.
  })
  return freshDatabase(url, { template: name })
}

async function makeTemplate(
  url: string,
  name: string,
  migrate: (client: Pool) => Promise<void>,
): Promise<void> {
  const database = await freshDatabase(url)
  const pool = new Pool({ connectionString: database.url, max: 1 })
  try {
    await migrate(pool)
  } catch (error) {
    await pool.end()
    await database.drop()
    throw error
  }
  await pool.end()
  // It gets the name when it is whole, so another process copies no half of it.
  await onServer(url, (client) => client.query(`ALTER DATABASE ${database.name} RENAME TO ${name}`))
}

function digestOf(migrations: readonly Migrations[]): string {
  const texts = migrations.map((one) => [
    one.package,
    one.migrations.flatMap((migration) => migration('oncekey')),
  ])
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16)
}
