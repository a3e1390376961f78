import { type StoreFixture, unmet } from '../store/fixture/store-fixture.ts'
import { commitFailures } from './outcomes/commit-failures.ts'
import { dispositions } from './outcomes/dispositions.ts'
import { errorsOfTheApp } from './outcomes/errors-of-the-app.ts'
import { eventsUndone } from './outcomes/events-undone.ts'
import { handlerTimeout } from './outcomes/handler-timeout.ts'
import { hangUps } from './outcomes/hang-ups.ts'
import { resultsGone } from './outcomes/results-gone.ts'
import { storeFailures } from './outcomes/store-failures.ts'
import { unknownOutcomes } from './outcomes/unknown-outcomes.ts'
import { authenticity } from './requests/authenticity.ts'
import { draining } from './requests/draining.ts'
import { fingerprints } from './requests/fingerprints.ts'
import { handlerContexts } from './requests/handler-contexts.ts'
import { keys } from './requests/keys.ts'
import { optionFunctions } from './requests/option-functions.ts'
import { optionalKeys } from './requests/optional-keys.ts'
import { running } from './requests/running.ts'
import { scopes } from './requests/scopes.ts'
import { secrets } from './requests/secrets.ts'
import { untouched } from './requests/untouched.ts'
import { codedBodies } from './responses/coded-bodies.ts'
import { firstAnswer } from './responses/first-answer.ts'
import { firstByte } from './responses/first-byte.ts'
import { framing } from './responses/framing.ts'
import { http2Streams } from './responses/http2-streams.ts'
import { largeResponses } from './responses/large-responses.ts'
import { problems } from './responses/problems.ts'
import { replayedHeaders } from './responses/replayed-headers.ts'
import { replays } from './responses/replays.ts'
import { streams } from './responses/streams.ts'
import { waitingWriters } from './responses/waiting-writers.ts'
import type { AdapterBehaviour, AdapterBehaviourGroup } from './site/adapter-behaviour.ts'
import { adapterContext } from './site/adapter-context.ts'
import type { ServeSite } from './site/adapter-fixture.ts'
import { Untestable } from './site/untestable.ts'

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
    waitingWriters(),
    storeFailures(),
    commitFailures(),
    problems(),
    secrets(),
    draining(),
  ]
}

/** What {@link describeHttp2Adapter} registers. */
export function http2Behaviours(): readonly AdapterBehaviourGroup[] {
  return [http2Streams()]
}

/** Runs one behaviour on its own store fixture. Returns the reason if it was skipped. */
export async function runAdapterBehaviour<Tx>(
  behaviour: AdapterBehaviour,
  serve: ServeSite,
  create: () => StoreFixture<Tx> | Promise<StoreFixture<Tx>>,
): Promise<string | undefined> {
  // Only the fixture knows the type of its transaction; the suite passes it from one hook to the
  // other.
  const fixture = (await create()) as StoreFixture
  const context = adapterContext(serve, fixture)
  try {
    const reason = unmet(fixture, behaviour.needs)
    if (reason === undefined) await behaviour.run(context)
    return reason
  } catch (error) {
    if (error instanceof Untestable) return error.message
    throw error
  } finally {
    await context.end()
    await fixture.close?.()
  }
}
