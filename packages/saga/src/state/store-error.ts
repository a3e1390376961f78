import { OncekeyError, type OptionsError } from '@oncekey/core'
import { refusedInput, storeError } from '@oncekey/postgres/client'

/** Maps the failure of a statement to an error code of the contract. */
export function sagaStoreError(error: unknown, schema: string): OncekeyError | OptionsError {
  const refused = refusedInput(error)
  if (refused !== undefined) return refused
  const known = storeError(error, schema)
  if (known.code !== 'store-not-migrated') return known
  const named = schema === 'oncekey' ? '' : `schema: '${schema}', `
  return new OncekeyError(
    'store-not-migrated',
    `The tables of sagas in schema "${schema}" are missing, or older than this release. Run ` +
      `\`await migrate(pool, { ${named}also: [sagaMigrations] })\` when you deploy.`,
    { cause: error },
  )
}
