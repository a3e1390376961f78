import { OncekeyError } from '@oncekey/core'

/** What `transaction()` of an attempt in Redis does. */
export async function noTransaction(): Promise<never> {
  throw new OncekeyError(
    'transaction-unsupported',
    'transaction(): Redis has none that could include your writes, because a script that fails half-way ' +
      'is not undone. emit() an event, which is stored with the response, and ' +
      'write in its consumer, behind an inbox; or use a store of @oncekey/postgres.',
  )
}
