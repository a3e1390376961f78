import {
  departed,
  type Enrolment,
  enrolled,
  OncekeyError,
  type Standing,
  type SubscriptionRecord,
  standingOf,
  subscriptionRecord,
  type Want,
  wantedIn,
} from '@oncekey/core'
import type { LogState } from './log-state.ts'
import { findSubscriptions, setSubscriptions } from './statements/subscriptions.ts'

/** Puts on record which types a relay wants. `undefined` if the consumer is unknown. */
export async function want<Tx>(log: LogState<Tx>, request: Want): Promise<Standing | undefined> {
  const { consumer, types } = request
  const changed = await change(log, consumer, (record, nowMs) =>
    enrolled(record, { ...request, nowMs }),
  )
  return changed && standingOf(changed.record, types, changed.nowMs)
}

/**
 * Puts a list of types on record under no relay's name, so that it does not count as a running
 * relay.
 */
export async function putOnRecord<Tx>(
  log: LogState<Tx>,
  consumer: string,
  types: Enrolment['types'],
): Promise<void> {
  await change(log, consumer, (record, nowMs) =>
    enrolled(record, { types, relay: undefined, leaseMs: 0, nowMs }),
  )
}

/** Removes a relay that leaves from the record. */
export async function leave<Tx>(log: LogState<Tx>, consumer: string, relay: string): Promise<void> {
  await change(log, consumer, (record, nowMs) =>
    record === null ? null : departed(record, relay, nowMs),
  )
}

/**
 * Changes the record by compare and set. If somebody else changed it in between, reads it and tries
 * again.
 */
async function change<Tx>(
  { ask, schema, listAges }: LogState<Tx>,
  consumer: string,
  of: (record: SubscriptionRecord | null, nowMs: number) => SubscriptionRecord | null,
): Promise<{ record: SubscriptionRecord; nowMs: number } | undefined> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const [found] = await ask(findSubscriptions(schema)(consumer))
    if (found === undefined) return undefined
    const nowMs = Number(found.now_ms)
    const known = listAges.corrected(consumer, subscriptionRecord(found.record), nowMs)
    const record = of(known, nowMs)
    if (record === null) return undefined
    const [set] = await ask(
      setSubscriptions(schema)({
        consumer,
        before: found.record,
        after: JSON.stringify(record),
        wanted: JSON.stringify(wantedIn(record, nowMs)),
      }),
    )
    if (set !== undefined) return { record, nowMs }
  }
  throw new OncekeyError(
    'store-busy',
    `The subscriptions of consumer "${consumer}" were changed by others ${MOST_TRIES} times in a row.`,
  )
}

const MOST_TRIES = 50
