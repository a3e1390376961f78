import type { Advance, EventLog, FailedDelivery, LeaseRequest } from '@oncekey/core'
import type { Statement } from '../../sql/sql-client.ts'
import { epochNumber, heldJson, heldLife, lifeOfAll } from './held-slots.ts'
import { type ParsedPosition, parsePosition, seqOf } from './position.ts'
import { attemptFields, verdictFields } from './verdict-fields.ts'

/** Renews a relay's slots and takes its share of the free ones. */
export function leaseSlots(
  schema: string,
): (request: LeaseRequest) => Statement<{ reply: string }> {
  const text = `
    select ${schema}.lease_slots_5($1::text, $2::text, $3::integer,
      ${schema}.still_held($4::json, $5::text), $6::boolean) as reply
      where ${schema}.at_read_committed()`
  return ({ consumer, relay, leaseMs, holding, waiting = false }) => ({
    name: 'lease_slots',
    text,
    values: [consumer, relay, leaseMs, heldJson(holding), heldLife(holding), String(waiting)],
  })
}

/** The JSON in `reply`. */
export interface LeaseJson {
  readonly share: number
  readonly relays: number
  /**
   * The server's life. The taken slots are held, and their positions are valid, in that life only.
   */
  readonly life: string
  readonly lost: readonly number[]
  readonly taken: readonly {
    readonly slot: number
    readonly epoch: string
    readonly crashes: number
    /** `f`, `t`, `o` and `s` are the position: `from`, `to`, `floor` and `seq`. */
    readonly f: string
    readonly t: string | null
    readonly o: string
    readonly s: string
  }[]
}

/** Releases slots. */
export function releaseSlots(
  schema: string,
): (request: Parameters<EventLog['release']>[0]) => Statement {
  const text = `select ${schema}.release_slots_2($1::text, $2::text,
      ${schema}.still_held($3::json, $5::text), $4::boolean)
      where ${schema}.at_read_committed()`
  return ({ consumer, relay, slots, leaving }) => ({
    name: 'release_slots',
    text,
    values: [consumer, relay, heldJson(slots), String(leaving), heldLife(slots)],
  })
}

/** Moves cursors and files failed events in one statement; `lost` is a JSON list of slots. */
export function advance(schema: string): (move: Advance) => Statement<{ lost: string }> {
  const text = `select ${schema}.advance_3($1::text, ${schema}.still_held($2::json, $4::text),
      $3::json) as lost where ${schema}.at_read_committed()`
  return ({ consumer, slots }) => {
    const failed = slots.flatMap((slot) => slot.failed)
    const inOrder = [...slots].sort((one, other) => one.slot - other.slot)
    const positions = inOrder.map(({ position }) => parsePosition(position))
    const moves = inOrder.map(({ slot, epoch, calm }, at) => {
      const { from, to, floor, seq } = positions[at] as ParsedPosition
      return { slot, epoch: epochNumber(epoch), f: from, t: to, o: floor, s: seq, calm }
    })
    const life = lifeOfAll([heldLife(slots), ...positions.map(({ life }) => life)])
    return {
      name: 'advance',
      text,
      values: [
        consumer,
        JSON.stringify(moves),
        failed.length === 0 ? null : JSON.stringify(failed.map(failedFields)),
        life,
      ],
    }
  }
}

function failedFields({ event, verdict, attempt }: FailedDelivery): object {
  return {
    slot: event.slot,
    seq: seqOf(event.position),
    id: event.id,
    type: event.type,
    source: event.source,
    subject: event.subject,
    ordering_key: event.orderingKey,
    data: event.data,
    headers: JSON.parse(event.headers),
    occurred_at: event.occurredAtMs,
    ...verdictFields(verdict),
    ...attemptFields(attempt),
  }
}

/**
 * Counts, on the cursor, one more start of this event. Returns no row if another relay holds the
 * slot.
 */
export function suspectEvent(
  schema: string,
): (request: Parameters<EventLog['suspect']>[0]) => Statement<{ starts: string }> {
  const text = `select * from ${schema}.suspect($1::text, $2::smallint,
      case when ${schema}.life() = $5::text then $3::bigint else -1 end, $4::text)
      where ${schema}.at_read_committed()`
  return ({ consumer, slot, eventId }) => ({
    name: 'suspect',
    text,
    values: [consumer, slot.slot, epochNumber(slot.epoch), eventId, heldLife([slot])],
  })
}

/**
 * Sets the count of this event's starts back. Returns no row if another relay holds the slot. The
 * update is written out here, because the schema's function only counts up.
 */
export function unsuspectEvent(
  schema: string,
): (request: Parameters<EventLog['suspect']>[0], backTo: number) => Statement<{ starts: string }> {
  const text = `
    update ${schema}.cursors c
      set starts = case when c.suspect = $4::text then $5::integer else c.starts end,
        suspect = case when c.suspect = $4::text and $5::integer = 0 then null else c.suspect end
      where c.consumer = $1::text and c.slot = $2::smallint
        and c.epoch = $3::bigint and ${schema}.life() = $6::text and ${schema}.at_read_committed()
      returning $5::integer::text as starts`
  return ({ consumer, slot, eventId }, backTo) => ({
    name: 'unsuspect',
    text,
    values: [consumer, slot.slot, epochNumber(slot.epoch), eventId, backTo, heldLife([slot])],
  })
}

/** For these slots, the event whose starts were counted last, if there is one. */
export function suspectsIn(
  schema: string,
  consumer: string,
  slots: readonly number[],
): Statement<{ slot: string; suspect: string }> {
  return {
    name: 'suspects_in',
    text: `select slot::text, suspect from ${schema}.cursors
      where consumer = $1::text and slot = any($2::smallint[]) and suspect is not null`,
    values: [consumer, `{${slots.join(',')}}`],
  }
}
