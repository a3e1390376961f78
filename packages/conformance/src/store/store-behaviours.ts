import { abandon } from './attempts/abandon.ts'
import { endsOnce } from './attempts/ends-once.ts'
import { events } from './attempts/events.ts'
import { lease } from './attempts/lease.ts'
import { lostAttempt } from './attempts/lost-attempt.ts'
import { lostReply } from './attempts/lost-reply.ts'
import { release } from './attempts/release.ts'
import { transaction } from './attempts/transaction.ts'
import { unansweredClaim } from './attempts/unanswered-claim.ts'
import { unknownOutcome } from './attempts/unknown-outcome.ts'
import { abort } from './claims/abort.ts'
import { byteExactness } from './claims/byte-exactness.ts'
import { claimOnce } from './claims/claim-once.ts'
import { keys } from './claims/keys.ts'
import { mismatch } from './claims/mismatch.ts'
import { mixedModes } from './claims/mixed-modes.ts'
import { open } from './claims/open.ts'
import { recordDecidesFirst } from './claims/record-decides-first.ts'
import { resultGone } from './claims/result-gone.ts'
import { waiting } from './claims/waiting.ts'
import type { StoreBehaviour, StoreBehaviourGroup } from './fixture/store-behaviour.ts'
import { storeContext } from './fixture/store-context.ts'
import { type StoreFixture, unmet } from './fixture/store-fixture.ts'
import { model } from './model/model.ts'
import { operatorActs } from './operator/operator-acts.ts'
import { operatorKeys } from './operator/operator-keys.ts'

/** The store contract as data: what `describeStore` registers, for any other runner. */
export function storeBehaviours(): readonly StoreBehaviourGroup[] {
  return [
    claimOnce(),
    recordDecidesFirst(),
    mismatch(),
    byteExactness(),
    keys(),
    transaction(),
    events(),
    release(),
    abandon(),
    endsOnce(),
    open(),
    lease(),
    unknownOutcome(),
    waiting(),
    abort(),
    lostReply(),
    unansweredClaim(),
    lostAttempt(),
    resultGone(),
    mixedModes(),
    operatorKeys(),
    operatorActs(),
    model(),
  ]
}

/** Runs one behaviour on its own fixture. Returns the reason if it was skipped. */
export async function runStoreBehaviour<Tx>(
  behaviour: StoreBehaviour,
  create: () => StoreFixture<Tx> | Promise<StoreFixture<Tx>>,
  options: { readonly modelRuns: number },
): Promise<string | undefined> {
  // Only the fixture knows the type of its transaction; the suite passes it from one hook to the
  // other.
  const fixture = (await create()) as StoreFixture
  const context = storeContext(fixture, options.modelRuns)
  try {
    const reason = unmet(fixture, behaviour.needs)
    if (reason === undefined) await behaviour.run(context)
    return reason
  } finally {
    await context.end()
    await fixture.close?.()
  }
}
