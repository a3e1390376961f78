import { type PackageMigrations, postgresMigrations } from '@oncekey/postgres/client'
import { sagaMigrations } from '@oncekey/saga'
import { webhookMigrations } from '@oncekey/webhooks'

/** The migrations of every package that has tables. */
export const everyMigrations: readonly PackageMigrations[] = [
  postgresMigrations,
  webhookMigrations,
  sagaMigrations,
]
