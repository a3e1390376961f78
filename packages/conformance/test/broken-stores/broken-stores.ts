import { abandonDoesNothing } from './abandon-does-nothing.ts'
import { abandonForgets } from './abandon-forgets.ts'
import { abandonWithoutOwner } from './abandon-without-owner.ts'
import { abortEndsAttempts } from './abort-ends-attempts.ts'
import { alwaysAttemptOne } from './always-attempt-one.ts'
import { alwaysHolds } from './always-holds.ts'
import { alwaysWaits } from './always-waits.ts'
import { attemptsFromZero } from './attempts-from-zero.ts'
import { blindToTheOtherMode } from './blind-to-the-other-mode.ts'
import { bodyOnly } from './body-only.ts'
import type { BrokenStore } from './broken-store.ts'
import { busyFreesKey } from './busy-frees-key.ts'
import { caseBlindKeys } from './case-blind-keys.ts'
import { checkThenSet } from './check-then-set.ts'
import { claimGivenTwice } from './claim-given-twice.ts'
import { deafToAbort } from './deaf-to-abort.ts'
import { eachForItself } from './each-for-itself.ts'
import { emptyBodyIsNone } from './empty-body-is-none.ts'
import { endsThrow } from './ends-throw.ts'
import { eventsAfterCommit } from './events-after-commit.ts'
import { eventsOutsideCommit } from './events-outside-commit.ts'
import { expiredKeyBlocks } from './expired-key-blocks.ts'
import { expiredResultRunsAgain } from './expired-result-runs-again.ts'
import { fingerprintIsKey } from './fingerprint-is-key.ts'
import { finishedWhileLooking } from './finished-while-looking.ts'
import { forgetsWhoCompleted } from './forgets-who-completed.ts'
import { forgottenFingerprint } from './forgotten-fingerprint.ts'
import { headerObject } from './header-object.ts'
import { holdsInTransactionMode } from './holds-in-transaction-mode.ts'
import { joinedKeys } from './joined-keys.ts'
import { jsonBody } from './json-body.ts'
import { keptByReference } from './kept-by-reference.ts'
import { keylessRecord } from './keyless-record.ts'
import { lapseIsLoss } from './lapse-is-loss.ts'
import { leaseEndsResults } from './lease-ends-results.ts'
import { lockDecidesFirst } from './lock-decides-first.ts'
import { lossyBytes } from './lossy-bytes.ts'
import { mismatchOverwrites } from './mismatch-overwrites.ts'
import { neverHolds } from './never-holds.ts'
import { neverWaits } from './never-waits.ts'
import { newTransactionEachTime } from './new-transaction-each-time.ts'
import { noBodyIsEmpty } from './no-body-is-empty.ts'
import { oldestFingerprint } from './oldest-fingerprint.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { oneFingerprint } from './one-fingerprint.ts'
import { oneLifetime } from './one-lifetime.ts'
import { ownClaimUnknown } from './own-claim-unknown.ts'
import { processClock } from './process-clock.ts'
import { refusalForgotten } from './refusal-forgotten.ts'
import { refusalOverAClaim } from './refusal-over-a-claim.ts'
import { releaseDoesNothing } from './release-does-nothing.ts'
import { releaseRemembers } from './release-remembers.ts'
import { releaseWithoutOwner } from './release-without-owner.ts'
import { renewInVain } from './renew-in-vain.ts'
import { renewWithoutOwner } from './renew-without-owner.ts'
import { retryAtOnce } from './retry-at-once.ts'
import { shortKeys } from './short-keys.ts'
import { staleRelease } from './stale-release.ts'
import { transactionNeverOver } from './transaction-never-over.ts'
import { transactionsDenied } from './transactions-denied.ts'
import { unfencedComplete } from './unfenced-complete.ts'
import { waitsForFinished } from './waits-for-finished.ts'
import { waitsInVain } from './waits-in-vain.ts'
import { writesAtOnce } from './writes-at-once.ts'
import { writesForgotten } from './writes-forgotten.ts'

/** Every fault that the suite has to find, most of them met in published libraries. */
export const brokenStores: readonly BrokenStore[] = [
  abandonDoesNothing,
  abandonForgets,
  abandonWithoutOwner,
  abortEndsAttempts,
  alwaysAttemptOne,
  alwaysHolds,
  alwaysWaits,
  attemptsFromZero,
  blindToTheOtherMode,
  bodyOnly,
  busyFreesKey,
  caseBlindKeys,
  checkThenSet,
  claimGivenTwice,
  deafToAbort,
  eachForItself,
  emptyBodyIsNone,
  endsThrow,
  eventsAfterCommit,
  eventsOutsideCommit,
  expiredKeyBlocks,
  expiredResultRunsAgain,
  fingerprintIsKey,
  finishedWhileLooking,
  forgetsWhoCompleted,
  forgottenFingerprint,
  headerObject,
  holdsInTransactionMode,
  joinedKeys,
  jsonBody,
  keptByReference,
  keylessRecord,
  lapseIsLoss,
  leaseEndsResults,
  lockDecidesFirst,
  lossyBytes,
  mismatchOverwrites,
  neverHolds,
  neverWaits,
  newTransactionEachTime,
  noBodyIsEmpty,
  oldestFingerprint,
  oneAtATime,
  oneFingerprint,
  oneLifetime,
  ownClaimUnknown,
  processClock,
  refusalForgotten,
  refusalOverAClaim,
  releaseDoesNothing,
  releaseRemembers,
  releaseWithoutOwner,
  renewInVain,
  renewWithoutOwner,
  retryAtOnce,
  shortKeys,
  staleRelease,
  transactionNeverOver,
  transactionsDenied,
  unfencedComplete,
  waitsForFinished,
  waitsInVain,
  writesAtOnce,
  writesForgotten,
]
