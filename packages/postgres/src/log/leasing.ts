import { type Lease, type LeaseRequest, OncekeyError, type Subscription } from '@oncekey/core'
import { isRefusedToRole } from '../sql/session-fitness.ts'
import { violatedConstraint } from '../sql/sql-state.ts'
import { inReach } from './in-reach.ts'
import type { LogState } from './log-state.ts'
import { isFromAnotherLife, rebased } from './rebase.ts'
import { heldEpoch } from './statements/held-slots.ts'
import { positionOf } from './statements/position.ts'
import { presentLife } from './statements/reading.ts'
import { type LeaseJson, suspectsIn } from './statements/slots.ts'
import { retiredSince } from './statements/subscriptions.ts'

export async function subscribed<Tx>(log: LogState<Tx>, subscription: Subscription): Promise<void> {
  const { schema, statements, subscribed } = log
  const [row] = await inReach(log, statements.subscribe(subscription))
  if (Number(row?.in_advance ?? 1) > 1) throw numbersInAdvance(schema, row?.in_advance)
  subscribed.set(subscription.consumer, {
    subscription,
    life: row?.life ?? '',
    atMs: Number(row?.at_ms),
  })
}

/**
 * A session that took its numbers in advance appends events below those that were read already, and
 * no consumer would get them.
 */
export function numbersInAdvance(schema: string, count: string | undefined): OncekeyError {
  return new OncekeyError(
    'store-not-migrated',
    `Sessions take the numbers of ${schema}.outbox ${count} at a time, so events that are appended ` +
      'with a number taken earlier would reach no consumer. Write ' +
      `\`alter table ${schema}.outbox alter column seq set cache 1\`, and end all sessions that ` +
      "began before, poolers' too: `select pid, application_name, backend_start from " +
      'pg_stat_activity where datname = current_database() order by backend_start`.',
  )
}

export async function leased<Tx>(log: LogState<Tx>, request: LeaseRequest): Promise<Lease> {
  await log.watchClock()
  const { share, relays, life, lost, taken } = await ask(log, request)
  const known = log.subscribed.get(request.consumer)
  if (known !== undefined) known.life = life
  const suspects = await suspectsOf(log, request.consumer, taken)
  return {
    share,
    relays,
    lost,
    taken: taken.map(({ slot, epoch, crashes, f, t, o, s }) => ({
      slot,
      epoch: heldEpoch(epoch, life),
      crashes,
      ...(crashes > 0 ? { suspect: suspects.get(slot) ?? null } : {}),
      position: positionOf({ life, from: f, to: t, floor: Number(o), seq: Number(s) }),
    })),
  }
}

/** Reads the suspects of the slots whose holder has vanished. Not called otherwise. */
async function suspectsOf<Tx>(
  log: LogState<Tx>,
  consumer: string,
  taken: LeaseJson['taken'],
): Promise<ReadonlyMap<number, string>> {
  const slots = taken.filter(({ crashes }) => crashes > 0).map(({ slot }) => slot)
  if (slots.length === 0) return new Map()
  const rows = await log.ask(suspectsIn(log.schema, consumer, slots))
  return new Map(rows.map(({ slot, suspect }) => [Number(slot), suspect]))
}

/**
 * Leases slots, and asks again after a repair. A restored database may need two repairs: of its
 * cursors, and of the subscription of a consumer that the restored copy does not know.
 */
async function ask<Tx>(log: LogState<Tx>, request: LeaseRequest, tries = 3): Promise<LeaseJson> {
  try {
    const [row] = await log.ask(log.statements.leaseSlots(request))
    return JSON.parse(row?.reply ?? '')
  } catch (error) {
    if (tries === 1) throw error
    if (isFromAnotherLife(error)) await rebased(log)
    else if (!isUnknownConsumer(log, error)) throw error
    else if (!(await subscribedAnew(log, request))) throw retired(request.consumer, error)
    return ask(log, request, tries - 1)
  }
}

/**
 * Subscribes an unknown consumer again if the server's life is another one than when this process
 * last leased slots of it: the data may be older than the subscription. If the life is the same,
 * or if the audit trail has the act, the consumer was retired, and stays so in every later life.
 */
async function subscribedAnew<Tx>(log: LogState<Tx>, { consumer }: LeaseRequest): Promise<boolean> {
  const before = log.subscribed.get(consumer)
  const [row] = await log.ask(presentLife(log.schema))
  if (before === undefined || row === undefined) return false
  if (row.life === before.life || (await isRetired(log, consumer, before.atMs))) {
    log.subscribed.delete(consumer)
    return false
  }
  await subscribed(log, before.subscription)
  const { startAt } = before.subscription
  process.emitWarning(
    `The database no longer knew consumer "${consumer}" after it had failed over or was restored, ` +
      `so the consumer starts anew ${startAt === 'now' ? 'now' : 'with the oldest event'}.`,
    { code: 'ONCEKEY', type: 'OncekeyWarning' },
  )
  return true
}

/**
 * Whether the consumer was retired since this process subscribed it, by the audit trail: for a
 * relay that was cut off while it was retired and the server restarted. A standby that never had
 * the subscription does not have a later act either. A role that may not read the trail has only
 * the life to go by.
 */
async function isRetired<Tx>(
  { ask, schema }: LogState<Tx>,
  consumer: string,
  sinceMs: number,
): Promise<boolean> {
  try {
    const rows = await ask(retiredSince(schema, consumer, sinceMs))
    return rows.length > 0
  } catch (error) {
    if (isRefusedToRole(error)) return false
    throw error
  }
}

function retired(consumer: string, cause: unknown): OncekeyError {
  return new OncekeyError(
    'store-unavailable',
    `The database has no consumer "${consumer}": it was retired, so this relay gets no events for ` +
      'it. Take the consumer out of the relay, or start the relay anew to subscribe it again.',
    { cause },
  )
}

function isUnknownConsumer<Tx>({ schemaName }: LogState<Tx>, error: unknown): boolean {
  return violatedConstraint(error) === `${schemaName}.relays_consumer_fkey`
}
