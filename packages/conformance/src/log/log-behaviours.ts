import { acts } from './acts.ts'
import { advancing } from './advancing.ts'
import { deadLettersGroup } from './dead-letters.ts'
import { deliveries } from './deliveries.ts'
import type { LogBehaviour, LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { logContext } from './fixture/log-context.ts'
import { type LogFixture, unmetByLog } from './fixture/log-fixture.ts'
import { inbox } from './inbox.ts'
import { leasing } from './leasing.ts'
import { lives } from './lives.ts'
import { openTransactions } from './open-transactions.ts'
import { pausing } from './pausing.ts'
import { reading } from './reading.ts'
import { redriveStarts } from './redrive-starts.ts'
import { redrives } from './redrives.ts'
import { retention } from './retention.ts'
import { retiring } from './retiring.ts'
import { subscriptions } from './subscriptions.ts'
import { suspects } from './suspects.ts'

/** The log contract as data: what `describeLog` registers, for any other runner. */
export function logBehaviours(): readonly LogBehaviourGroup[] {
  return [
    reading(),
    openTransactions(),
    subscriptions(),
    leasing(),
    lives(),
    advancing(),
    suspects(),
    deliveries(),
    inbox(),
    deadLettersGroup(),
    redrives(),
    redriveStarts(),
    pausing(),
    acts(),
    retention(),
    retiring(),
  ]
}

/** Runs one behaviour on its own fixture. Returns the reason if it was skipped. */
export async function runLogBehaviour<Tx>(
  behaviour: LogBehaviour,
  create: () => LogFixture<Tx> | Promise<LogFixture<Tx>>,
): Promise<string | undefined> {
  // Only the fixture knows the type of its transaction; the suite passes it from one hook to the
  // other.
  const fixture = (await create()) as LogFixture
  try {
    const reason = unmetByLog(fixture, behaviour.needs)
    if (reason === undefined) await behaviour.run(logContext(fixture))
    return reason
  } finally {
    await fixture.close?.()
  }
}
