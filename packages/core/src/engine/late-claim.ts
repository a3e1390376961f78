import type { Attempt } from '../contracts/store.ts'
import { OncekeyError } from '../errors/errors.ts'
import { reportFailure } from './answer.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'

/**
 * Lease mode: whether the lease that a claim has won is known to be over already, because the
 * process stood still between the claim and its reply. Another attempt may have the key by then, so
 * the handler must not be started: its first call to another service would be out before any timer
 * could abort it.
 */
export function isLeaseOver<Tx>(
  { store, leaseMs }: Pick<ResolvedOptions<Tx>, 'store' | 'leaseMs'>,
  { askedAt }: Attempt<Tx>,
): boolean {
  if (store.capabilities.mode !== 'lease' || askedAt === undefined) return false
  return performance.now() >= askedAt + leaseMs
}

/** The error for a claim that was sent twice, and whose lease was over each time. */
export function tooLate(): OncekeyError {
  return new OncekeyError(
    'store-unavailable',
    'Twice the lease was over before the reply to the claim was read: the process stood still, or the lease is too short.',
  )
}

/**
 * Gives back an attempt whose handler was not started, and never will be. Only a first attempt is
 * released, and only if no handler ran for this request before (`isFirst`). Another took the key
 * over from an attempt of unknown outcome, and the outcome is unknown again.
 */
export async function giveBackLate<Tx>(
  attempt: Attempt<Tx>,
  question: Question,
  isFirst: boolean,
): Promise<void> {
  try {
    await (isFirst && attempt.number === 1 ? attempt.release() : attempt.abandon())
  } catch (error) {
    reportFailure(question, 'abandon', error)
  }
}
