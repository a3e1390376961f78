import { inspect } from 'node:util'
import { waitFor } from '@oncekey/test-servers'
import type { EventBooks, KeptEvent } from './books.ts'
import { type ConsumerPlan, followUp, isFor } from './consumed.ts'
import { readTaken } from './delivery-ledger.ts'
import type { Produced } from './producer.ts'

/** Findings that must not occur, in words. */
export interface EventFindings {
  readonly missing: string[]
  readonly undoneThere: string[]
  readonly emittedTwice: string[]
  readonly undelivered: string[]
  readonly phantoms: string[]
  readonly doubleEffects: string[]
  readonly followUps: string[]
  readonly outOfOrder: string[]
  readonly unsettled: string[]
  readonly deliveredAgain: string[]
  readonly stillHeld: string[]
  readonly crashes: string[]
}

export interface EventCounts {
  readonly events: number
  readonly deliveries: number
  /** How many deliveries were repetitions. */
  readonly repeats: number
  readonly effects: number
  /** Events that the database no longer has, because a failover lost them. */
  readonly lost: number
}

export interface EventAudit {
  readonly books: EventBooks
  readonly consumers: readonly ConsumerPlan[]
  readonly produced: Produced
  readonly ledger: string
  /** Adds to the ledger what was recorded outside of this process and its children. */
  collect(): Promise<void>
  /** The events that failovers and dumps lost, by id and by mark. */
  readonly lost: ReadonlySet<string>
  /** Whether a failover may lose an answered request. */
  readonly mayLose: boolean
  /** Whether it is unknown from outside which events were lost. */
  readonly losesUnseen: boolean
}

/** Consumers have little left to do once the producers have ended, but the machine may be slow. */
const SETTLED_WITHIN_MS = 600_000

/**
 * Waits until consumers have nothing left to do, and compares the ledger with the database. Call it
 * after all faults are mended, while relays are running.
 */
export async function auditEvents(
  audit: EventAudit,
  findings: EventFindings,
  tell: (progress: string) => void,
): Promise<EventCounts> {
  const { books, consumers } = audit
  let last: string[] = []
  let asked = 0
  try {
    await waitFor(
      async () => {
        last = await books.unsettled(consumers).catch((error) => [inspect(error)])
        if (++asked % 20 === 0) tell(`still: ${last.join(', ')}`)
        return last.length === 0
      },
      { what: 'every consumer to have everything', timeoutMs: SETTLED_WITHIN_MS, intervalMs: 500 },
    )
  } catch (error) {
    findings.unsettled.push(...(last.length > 0 ? last : [inspect(error)]))
  }
  return compare(audit, findings)
}

async function compare(audit: EventAudit, findings: EventFindings): Promise<EventCounts> {
  const { books, consumers, ledger } = audit
  const events = await books.events()
  const kept = new Map(events.map((event) => [event.id, event]))
  const lost = compareProduced(audit, events, findings)
  await audit.collect()
  const taken = readTaken(ledger)
  const effects = await books.effects()
  let deliveries = 0
  let repeats = 0
  for (const plan of consumers) {
    const all =
      plan.by === 'inbox'
        ? effects.filter(({ consumer }) => consumer === plan.name).map(({ id }) => id)
        : (taken.get(plan.name) ?? [])
    const first = new Set(all)
    deliveries += all.length
    repeats += all.length - first.size
    for (const event of events) {
      if (isFor(plan, event.type) && !first.has(event.id)) {
        findings.undelivered.push(`${plan.name}: ${shown(event)}`)
      }
    }
    for (const id of first) {
      if (kept.has(id) || audit.lost.has(id) || audit.losesUnseen) continue
      findings.phantoms.push(`${plan.name}: ${id}`)
    }
    if (plan.by === 'inbox') compareEffects(plan.name, all, findings)
    if (plan.ordered) compareOrder(plan.name, first, kept, findings)
  }
  if (consumers.some(({ name }) => name === 'inbox')) compareFollowUps(events, findings)
  return { events: events.length, deliveries, repeats, effects: effects.length, lost }
}

function compareProduced(
  { produced, lost, mayLose, losesUnseen }: EventAudit,
  events: readonly KeptEvent[],
  findings: EventFindings,
): number {
  const marks = new Set<string>()
  for (const { mark, type } of events) {
    if (type === 'order.noted') continue
    if (marks.has(mark)) findings.emittedTwice.push(mark)
    marks.add(mark)
  }
  let count = 0
  for (const mark of produced.committed) {
    if (marks.has(mark)) continue
    if (losesUnseen || (mayLose && lost.has(mark))) count++
    else findings.missing.push(mark)
  }
  for (const mark of produced.undone) if (marks.has(mark)) findings.undoneThere.push(mark)
  return count
}

function compareEffects(name: string, all: readonly string[], findings: EventFindings): void {
  const seen = new Set<string>()
  for (const id of all) {
    if (seen.has(id)) findings.doubleEffects.push(`${name}: ${id}`)
    seen.add(id)
  }
}

/**
 * Checks the order of first deliveries: all earlier events of the same key that the database still
 * has must have been delivered before.
 */
function compareOrder(
  name: string,
  first: ReadonlySet<string>,
  kept: ReadonlyMap<string, KeptEvent>,
  findings: EventFindings,
): void {
  const last = new Map<string, number>()
  for (const id of first) {
    const { orderingKey, n } = kept.get(id) ?? { orderingKey: '', n: null }
    if (n === null) continue
    const before = last.get(orderingKey) ?? 0
    if (n < before) findings.outOfOrder.push(`${name}: ${orderingKey} ${n} after ${before}`)
    last.set(orderingKey, Math.max(n, before))
  }
}

/** Expects one emitted event for each effect of the inbox, in the same commit. */
function compareFollowUps(events: readonly KeptEvent[], findings: EventFindings): void {
  const followed = new Map<string, number>()
  for (const { type, mark } of events) {
    if (type === 'order.noted') followed.set(mark, (followed.get(mark) ?? 0) + 1)
  }
  for (const { id, type } of events) {
    const expected = followUp(type) === undefined ? 0 : 1
    const count = followed.get(id) ?? 0
    if (count !== expected) findings.followUps.push(`${id} (${type}): ${count}`)
  }
}

function shown({ id, type, orderingKey, n }: KeptEvent): string {
  return `${id} (${type}, ${orderingKey}${n === null ? '' : ` ${n}`})`
}
