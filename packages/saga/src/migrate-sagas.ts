import { type MigrateOptions, migratePackage, type PostgresClient } from '@oncekey/postgres/client'
import { migrations } from './migrations/all.ts'

/**
 * Creates the tables of sagas, or brings them up to this version, beside those of `migrate` of
 * `@oncekey/postgres`, which has to run as well. As often as you like, from any number of processes.
 *
 * @example
 * ```ts
 * await migrate(pool)
 * await migrateSagas(pool)
 * ```
 */
export async function migrateSagas<Tx>(
  client: PostgresClient<Tx>,
  options: MigrateOptions = {},
): Promise<void> {
  await migratePackage(client, { package: 'saga', migrations }, options)
}
