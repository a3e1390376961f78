import { OptionsError } from '@oncekey/core'

/**
 * Quotes a schema's name for SQL. Only names that need no quotes are allowed, so that a name means
 * the same here, in psql and in a migration tool.
 */
export function quotedSchema(schema: string): string {
  if (typeof schema === 'string' && NAME.test(schema)) return `"${schema}"`
  throw new OptionsError(
    `schema: ${JSON.stringify(schema)} is not a schema name. Write lower-case letters, digits and ` +
      'underscores, starting with a letter or underscore, at most 63, not starting with "pg_": ' +
      'such as "oncekey".',
  )
}

const NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/
