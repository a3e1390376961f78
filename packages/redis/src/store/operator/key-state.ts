import { OncekeyError } from '@oncekey/core'
import { textIn } from '../../client/script.ts'

/**
 * Throws `store-too-new` if the reply says that a newer release wrote the record in a format that
 * this one does not know.
 */
export function refuseNewer(raw: readonly unknown[]): void {
  if (textIn(raw[0]) !== 'newer') return
  throw new OncekeyError(
    'store-too-new',
    `The record of this key has the form ${textIn(raw[1])}, of a newer release of @oncekey/redis. ` +
      'Use that release to look at it.',
  )
}
