import { abandon } from './abandon.ts'
import { abort } from './abort.ts'
import { byteExactness } from './byte-exactness.ts'
import { claimOnce } from './claim-once.ts'
import { endsOnce } from './ends-once.ts'
import { events } from './events.ts'
import { keys } from './keys.ts'
import { lease } from './lease.ts'
import { lostReply } from './lost-reply.ts'
import { mismatch } from './mismatch.ts'
import { mixedModes } from './mixed-modes.ts'
import { model } from './model.ts'
import { open } from './open.ts'
import { recordDecidesFirst } from './record-decides-first.ts'
import { release } from './release.ts'
import { resultGone } from './result-gone.ts'
import { type StoreContext, storeContext } from './store-context.ts'
import { type Need, type StoreFixture, unmet } from './store-fixture.ts'
import { transaction } from './transaction.ts'
import { unknownOutcome } from './unknown-outcome.ts'
import { waiting } from './waiting.ts'

/** One sentence of the contract and how to find out whether a store keeps it. */
export interface StoreBehaviour {
  readonly title: string
  readonly needs?: readonly Need[]
  /** Throws where the store breaks the contract. */
  run(context: StoreContext): Promise<void>
}

/** The sentences about one subject. */
export interface StoreBehaviourGroup {
  readonly title: string
  readonly behaviours: readonly StoreBehaviour[]
}

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
    resultGone(),
    mixedModes(),
    model(),
  ]
}

/** Tries one behaviour on a fixture of its own. Returns why it was skipped, if it was. */
export async function runStoreBehaviour<Tx>(
  behaviour: StoreBehaviour,
  create: () => StoreFixture<Tx> | Promise<StoreFixture<Tx>>,
  options: { readonly modelRuns: number },
): Promise<string | undefined> {
  // What a transaction is, only the fixture knows: the suite hands it from one hook to the other.
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
