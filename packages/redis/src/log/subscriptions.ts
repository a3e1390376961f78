import {
  departed,
  enrolled,
  OncekeyError,
  type Standing,
  type SubscriptionRecord,
  standingOf,
  subscriptionRecord,
  type Want,
  wantedIn,
} from '@oncekey/core'
import { allSlots } from './keys/slot-keys.ts'
import {
  findSubscriptionsScript,
  setSubscriptionsScript,
  spreadWantedScript,
} from './scripts/consumers/subscriptions.ts'
import { isAway, type LogState } from './state/log-state.ts'

/** Puts on record which types a relay takes. `undefined` if no slot knows the consumer. */
export async function want(log: LogState, request: Want): Promise<Standing | undefined> {
  const { consumer, types } = request
  const changed = await change(log, consumer, (record, nowMs) =>
    enrolled(record, { ...request, nowMs }),
  ).catch((error) => {
    // The record is on a node that is away, so the relay continues with the types it knows. If they
    // change meanwhile, reading fails with `subscription-changed`.
    if (log.client.isCluster === true && isAway(error)) return undefined
    throw error
  })
  return changed && standingOf(changed.record, types, changed.nowMs)
}

/** Puts a list of types on record under no relay's name. */
export async function putOnRecord(
  log: LogState,
  consumer: string,
  types: readonly string[] | null,
): Promise<void> {
  await change(log, consumer, (record, nowMs) =>
    enrolled(record, { types, relay: undefined, leaseMs: 0, nowMs }),
  )
}

/** Removes a relay that stops from the record. */
export async function leave(log: LogState, consumer: string, relay: string): Promise<void> {
  await change(log, consumer, (record, nowMs) =>
    record === null ? null : departed(record, relay, nowMs),
  )
}

/**
 * Changes the record by compare and set, and tries again if somebody else changed it in between.
 * Then stores the wanted types in every slot.
 */
async function change(
  log: LogState,
  consumer: string,
  of: (record: SubscriptionRecord | null, nowMs: number) => SubscriptionRecord | null,
): Promise<{ record: SubscriptionRecord; nowMs: number } | undefined> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const { record: before, nowMs } = await log.ask(findSubscriptionsScript, { consumer })
    const known = log.listAges.corrected(consumer, subscriptionRecord(before), nowMs)
    const record = of(known, nowMs)
    if (record === null) return undefined
    const after = JSON.stringify(record)
    const outcome = await log.ask(setSubscriptionsScript, { consumer, before, after })
    if (outcome === 'changed') continue
    const { replies } = await log.askSlotsThere(spreadWantedScript, allSlots, (slots) => ({
      slots,
      consumer,
      version: record.version,
      wanted: JSON.stringify(wantedIn(record, nowMs)),
    }))
    if (replies.some((count) => count > 0)) return { record, nowMs }
    // The consumer was retired meanwhile, so the record just written is deleted again.
    await log.ask(setSubscriptionsScript, { consumer, before: after, after: '' })
    return undefined
  }
  throw new OncekeyError(
    'store-busy',
    `The subscriptions of consumer "${consumer}" were changed by others ${MOST_TRIES} times in a row.`,
  )
}

const MOST_TRIES = 50
