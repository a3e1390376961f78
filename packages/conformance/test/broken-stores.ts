import type { BrokenStore } from './broken-stores/broken-store.ts'
import { abandonDoesNothing } from './broken-stores/of-attempts/abandon-does-nothing.ts'
import { abandonForgets } from './broken-stores/of-attempts/abandon-forgets.ts'
import { abandonWithoutOwner } from './broken-stores/of-attempts/abandon-without-owner.ts'
import { alwaysAttemptOne } from './broken-stores/of-attempts/always-attempt-one.ts'
import { answeredClaimsStay } from './broken-stores/of-attempts/answered-claims-stay.ts'
import { attemptsFromZero } from './broken-stores/of-attempts/attempts-from-zero.ts'
import { busyFreesKey } from './broken-stores/of-attempts/busy-frees-key.ts'
import { endsThrow } from './broken-stores/of-attempts/ends-throw.ts'
import { forgetsWhoCompleted } from './broken-stores/of-attempts/forgets-who-completed.ts'
import { lapseIsLoss } from './broken-stores/of-attempts/lapse-is-loss.ts'
import { lateCopiesWin } from './broken-stores/of-attempts/late-copies-win.ts'
import { lostIsAlwaysRestored } from './broken-stores/of-attempts/lost-is-always-restored.ts'
import { lostIsSuperseded } from './broken-stores/of-attempts/lost-is-superseded.ts'
import { releaseDoesNothing } from './broken-stores/of-attempts/release-does-nothing.ts'
import { releaseRemembers } from './broken-stores/of-attempts/release-remembers.ts'
import { releaseWithoutOwner } from './broken-stores/of-attempts/release-without-owner.ts'
import { releasedBeforeIsOver } from './broken-stores/of-attempts/released-before-is-over.ts'
import { renewInVain } from './broken-stores/of-attempts/renew-in-vain.ts'
import { renewWithoutOwner } from './broken-stores/of-attempts/renew-without-owner.ts'
import { settlesAtOnce } from './broken-stores/of-attempts/settles-at-once.ts'
import { staleRelease } from './broken-stores/of-attempts/stale-release.ts'
import { unfencedComplete } from './broken-stores/of-attempts/unfenced-complete.ts'
import { unheardClaimsFree } from './broken-stores/of-attempts/unheard-claims-free.ts'
import { unheardClaimsStay } from './broken-stores/of-attempts/unheard-claims-stay.ts'
import { alwaysHolds } from './broken-stores/of-claims/always-holds.ts'
import { blindToTheOtherMode } from './broken-stores/of-claims/blind-to-the-other-mode.ts'
import { checkThenSet } from './broken-stores/of-claims/check-then-set.ts'
import { claimGivenTwice } from './broken-stores/of-claims/claim-given-twice.ts'
import { eachForItself } from './broken-stores/of-claims/each-for-itself.ts'
import { finishedWhileLooking } from './broken-stores/of-claims/finished-while-looking.ts'
import { holdsInTransactionMode } from './broken-stores/of-claims/holds-in-transaction-mode.ts'
import { lockDecidesFirst } from './broken-stores/of-claims/lock-decides-first.ts'
import { namesByNumber } from './broken-stores/of-claims/names-by-number.ts'
import { neverHolds } from './broken-stores/of-claims/never-holds.ts'
import { oneAtATime } from './broken-stores/of-claims/one-at-a-time.ts'
import { ownClaimUnknown } from './broken-stores/of-claims/own-claim-unknown.ts'
import { refusalForgotten } from './broken-stores/of-claims/refusal-forgotten.ts'
import { refusalOverAClaim } from './broken-stores/of-claims/refusal-over-a-claim.ts'
import { retakesAnyAttempt } from './broken-stores/of-claims/retakes-any-attempt.ts'
import { fingerprintIsKey } from './broken-stores/of-fingerprints/fingerprint-is-key.ts'
import { forgottenFingerprint } from './broken-stores/of-fingerprints/forgotten-fingerprint.ts'
import { mismatchOverwrites } from './broken-stores/of-fingerprints/mismatch-overwrites.ts'
import { oldestFingerprint } from './broken-stores/of-fingerprints/oldest-fingerprint.ts'
import { oneFingerprint } from './broken-stores/of-fingerprints/one-fingerprint.ts'
import { bodyOnly } from './broken-stores/of-keys/body-only.ts'
import { caseBlindKeys } from './broken-stores/of-keys/case-blind-keys.ts'
import { emptyBodyIsNone } from './broken-stores/of-keys/empty-body-is-none.ts'
import { headerObject } from './broken-stores/of-keys/header-object.ts'
import { headerPairs } from './broken-stores/of-keys/header-pairs.ts'
import { joinedKeys } from './broken-stores/of-keys/joined-keys.ts'
import { jsonBody } from './broken-stores/of-keys/json-body.ts'
import { keptByReference } from './broken-stores/of-keys/kept-by-reference.ts'
import { keylessRecord } from './broken-stores/of-keys/keyless-record.ts'
import { lossyBytes } from './broken-stores/of-keys/lossy-bytes.ts'
import { noBodyIsEmpty } from './broken-stores/of-keys/no-body-is-empty.ts'
import { shortKeys } from './broken-stores/of-keys/short-keys.ts'
import { expiredKeyBlocks } from './broken-stores/of-retention/expired-key-blocks.ts'
import { expiredResultRunsAgain } from './broken-stores/of-retention/expired-result-runs-again.ts'
import { leaseEndsResults } from './broken-stores/of-retention/lease-ends-results.ts'
import { oneLifetime } from './broken-stores/of-retention/one-lifetime.ts'
import { processClock } from './broken-stores/of-retention/process-clock.ts'
import { eventsAfterCommit } from './broken-stores/of-transactions/events-after-commit.ts'
import { eventsOutsideCommit } from './broken-stores/of-transactions/events-outside-commit.ts'
import { failedCannotEnd } from './broken-stores/of-transactions/failed-cannot-end.ts'
import { failedIsEnded } from './broken-stores/of-transactions/failed-is-ended.ts'
import { newTransactionEachTime } from './broken-stores/of-transactions/new-transaction-each-time.ts'
import { sendsAfterTheUndo } from './broken-stores/of-transactions/sends-after-the-undo.ts'
import { transactionNeverOver } from './broken-stores/of-transactions/transaction-never-over.ts'
import { transactionsDenied } from './broken-stores/of-transactions/transactions-denied.ts'
import { writesAtOnce } from './broken-stores/of-transactions/writes-at-once.ts'
import { writesForgotten } from './broken-stores/of-transactions/writes-forgotten.ts'
import { abortEndsAttempts } from './broken-stores/of-waiting/abort-ends-attempts.ts'
import { alwaysWaits } from './broken-stores/of-waiting/always-waits.ts'
import { deafToAbort } from './broken-stores/of-waiting/deaf-to-abort.ts'
import { neverWaits } from './broken-stores/of-waiting/never-waits.ts'
import { retryAtOnce } from './broken-stores/of-waiting/retry-at-once.ts'
import { silentAboutTime } from './broken-stores/of-waiting/silent-about-time.ts'
import { waitsForFinished } from './broken-stores/of-waiting/waits-for-finished.ts'
import { waitsInVain } from './broken-stores/of-waiting/waits-in-vain.ts'

/** Every fault that the suite must detect, most of them found in published libraries. */
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
  failedCannotEnd,
  failedIsEnded,
  fingerprintIsKey,
  finishedWhileLooking,
  forgetsWhoCompleted,
  forgottenFingerprint,
  headerObject,
  headerPairs,
  holdsInTransactionMode,
  joinedKeys,
  jsonBody,
  keptByReference,
  keylessRecord,
  lapseIsLoss,
  lateCopiesWin,
  leaseEndsResults,
  lockDecidesFirst,
  lossyBytes,
  lostIsAlwaysRestored,
  lostIsSuperseded,
  releasedBeforeIsOver,
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
  retakesAnyAttempt,
  namesByNumber,
  retryAtOnce,
  sendsAfterTheUndo,
  shortKeys,
  silentAboutTime,
  staleRelease,
  transactionNeverOver,
  transactionsDenied,
  unfencedComplete,
  unheardClaimsFree,
  settlesAtOnce,
  unheardClaimsStay,
  answeredClaimsStay,
  waitsForFinished,
  waitsInVain,
  writesAtOnce,
  writesForgotten,
]
