import { type Need, type StoreFixture, unmet } from '../store/store-fixture.ts'
import { type AdapterContext, adapterContext } from './adapter-context.ts'
import type { ServeSite } from './adapter-fixture.ts'
import { authenticity } from './authenticity.ts'
import { codedBodies } from './coded-bodies.ts'
import { commitFailures } from './commit-failures.ts'
import { dispositions } from './dispositions.ts'
import { draining } from './draining.ts'
import { errorsOfTheApp } from './errors-of-the-app.ts'
import { eventsUndone } from './events-undone.ts'
import { fingerprints } from './fingerprints.ts'
import { firstAnswer } from './first-answer.ts'
import { firstByte } from './first-byte.ts'
import { framing } from './framing.ts'
import { handlerContexts } from './handler-contexts.ts'
import { handlerTimeout } from './handler-timeout.ts'
import { hangUps } from './hang-ups.ts'
import { keys } from './keys.ts'
import { largeResponses } from './large-responses.ts'
import { optionFunctions } from './option-functions.ts'
import { optionalKeys } from './optional-keys.ts'
import { problems } from './problems.ts'
import { replayedHeaders } from './replayed-headers.ts'
import { replays } from './replays.ts'
import { resultsGone } from './results-gone.ts'
import { running } from './running.ts'
import { scopes } from './scopes.ts'
import { secrets } from './secrets.ts'
import { storeFailures } from './store-failures.ts'
import { streams } from './streams.ts'
import { unknownOutcomes } from './unknown-outcomes.ts'
import { untouched } from './untouched.ts'

/** What handlers of some frameworks cannot say. */
export type Expression = 'removed headers'

/** One sentence of the adapter contract and how to find out whether an adapter keeps it. */
export interface AdapterBehaviour {
  readonly title: string
  readonly needs?: readonly Need[]
  /** What not every framework has words for. */
  readonly expresses?: Expression
  /** Throws where the adapter breaks the contract. */
  run(context: AdapterContext): Promise<void>
}

/** The sentences about one subject. */
export interface AdapterBehaviourGroup {
  readonly title: string
  readonly behaviours: readonly AdapterBehaviour[]
}

/** The adapter contract as data: what `describeAdapter` registers, for any other runner. */
export function adapterBehaviours(): readonly AdapterBehaviourGroup[] {
  return [
    keys(),
    optionalKeys(),
    untouched(),
    firstAnswer(),
    firstByte(),
    replays(),
    replayedHeaders(),
    codedBodies(),
    framing(),
    fingerprints(),
    running(),
    scopes(),
    authenticity(),
    optionFunctions(),
    dispositions(),
    eventsUndone(),
    handlerContexts(),
    errorsOfTheApp(),
    handlerTimeout(),
    hangUps(),
    unknownOutcomes(),
    resultsGone(),
    largeResponses(),
    streams(),
    storeFailures(),
    commitFailures(),
    problems(),
    secrets(),
    draining(),
  ]
}

/** Tries one behaviour on a store fixture of its own. Returns why it was skipped, if it was. */
export async function runAdapterBehaviour<Tx>(
  behaviour: AdapterBehaviour,
  serve: ServeSite,
  create: () => StoreFixture<Tx> | Promise<StoreFixture<Tx>>,
): Promise<string | undefined> {
  // What a transaction is, only the fixture knows: the suite hands it from one hook to the other.
  const fixture = (await create()) as StoreFixture
  const context = adapterContext(serve, fixture)
  try {
    const reason = unmet(fixture, behaviour.needs)
    if (reason === undefined) await behaviour.run(context)
    return reason
  } finally {
    await context.end()
    await fixture.close?.()
  }
}
