import type { AttemptError, DeadLetter, DeadLetterDetail } from '@oncekey/core'
import type { ResolvedOptions } from '../../routing/options.ts'

/**
 * A letter's error without what a receiver answered, if there is a mask: it expects a whole
 * payload, and the message has only the beginning of one.
 */
export function maskedLetter<Letter extends DeadLetter>(
  letter: Letter,
  options: Pick<ResolvedOptions, 'isMasked'>,
): Letter {
  return letter.error === null ? letter : { ...letter, error: maskedError(letter.error, options) }
}

export function maskedError<Told extends Omit<AttemptError, 'stack'>>(
  error: Told,
  { isMasked }: Pick<ResolvedOptions, 'isMasked'>,
): Told {
  return isMasked && error.quotes !== undefined ? { ...error, message: error.fingerprint } : error
}

/**
 * The data of a letter as the mask leaves it, and whether the mask has changed it. An edit of what
 * is shown would then send the mask's text.
 */
export function maskedData(
  letter: Pick<DeadLetterDetail, 'data'>,
  source: string,
  { mask }: Pick<ResolvedOptions, 'mask'>,
): { readonly data: string; readonly isChanged: boolean } {
  const data = mask(letter.data, source === 'sagas' ? 'saga' : 'event')
  return { data, isChanged: data !== letter.data }
}
