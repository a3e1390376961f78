import type { AttemptError, DeadLetter } from '@oncekey/core'
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
