import { PAGE_BYTES, type Settle, slotOf, splitTypes, type TakeDue } from '@oncekey/core'
import { sameKey } from '../../schema/functions/expressions/key-hash.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { textArray } from './dead-letter-filter.ts'
import { heldJson, heldLife } from './held-slots.ts'
import { attemptFields, verdictFields } from './verdict-fields.ts'

/** Claims deliveries that are due. */
export function takeDue(schema: string): (request: TakeDue) => Statement<{ reply: string }> {
  const inOrder = `
    select ${schema}.take_runs_2($1::text, ${schema}.still_held($2::json, $7::text), $3::bigint[],
      $4::integer, $5::text[], $6::text[], $8::bigint, $9::integer) as reply
      where ${schema}.at_read_committed()`
  const text = `
    select ${schema}.take_due_3($1::text, ${schema}.still_held($2::json, $7::text), $3::bigint[],
      $4::integer, $5::text[], $6::text[], $8::bigint) as reply
      where ${schema}.at_read_committed()`
  return ({ consumer, slots, except, limit, run, types = null, maxBytes = PAGE_BYTES }) => {
    const parts = splitTypes(types)
    const values = [
      consumer,
      heldJson(slots),
      `{${except.join(',')}}`,
      limit,
      parts === null ? null : textArray(parts.whole),
      parts === null ? null : textArray(parts.beginnings),
      heldLife(slots),
      maxBytes,
    ]
    return run === undefined
      ? { name: 'take_due', text, values }
      : { name: 'take_runs', text: inOrder, values: [...values, run] }
  }
}

/** The JSON in `reply`. */
export interface DueJson {
  readonly next_in_ms: number | null
  readonly deliveries: readonly {
    readonly delivery: string
    readonly slot: number
    readonly seq: string
    readonly id: string
    readonly type: string
    readonly source: string
    readonly subject: string | null
    readonly ordering_key: string
    readonly data: string
    readonly headers: string
    readonly occurred_at: number
    readonly attempts: number
    readonly starts: number
    readonly redrives: number
  }[]
}

/**
 * Counts the retrying deliveries of each ordering key in these slots, for all keys or for those of
 * a list.
 */
export function heldKeys(
  schema: string,
): (
  consumer: string,
  slots: readonly number[],
  orderingKeys: readonly string[] | undefined,
) => Statement<HeldKeyRow> {
  const all = `
    select slot::text, ordering_key, count(*)::text as count
      from ${schema}.deliveries
      where consumer = $1::text and slot = any($2::smallint[]) and state = 'retrying'
      group by slot, ordering_key`
  const some = `
    select k.slot::text, k.ordering_key, d.count::text as count
      from unnest($2::smallint[], $3::text[]) as k (slot, ordering_key)
      cross join lateral (
        select count(*) from ${schema}.deliveries d
          where d.consumer = $1::text and d.slot = k.slot
            and ${sameKey('d.ordering_key', 'k.ordering_key')}
            and d.state = 'retrying'
      ) d
      where d.count > 0`
  return (consumer, slots, orderingKeys) => {
    if (orderingKeys === undefined) {
      return {
        name: 'held_keys',
        text: all,
        values: [consumer, `{${slots.join(',')}}`],
        cancellable: true,
      }
    }
    const keys = orderingKeys.filter((key) => slots.includes(slotOf(key)))
    return {
      name: 'held_some_keys',
      text: some,
      values: [consumer, `{${keys.map(slotOf).join(',')}}`, textArray(keys)],
      cancellable: true,
    }
  }
}

export interface HeldKeyRow {
  readonly slot: string
  readonly ordering_key: string
  readonly count: string
}

/** Records how deliveries ended; `lost` is a JSON list of slots. */
export function recordVerdicts(schema: string): (request: Settle) => Statement<{ lost: string }> {
  const text = `select ${schema}.settle_3($1::text, ${schema}.still_held($2::json, $4::text),
      $3::json) as lost where ${schema}.at_read_committed()`
  return ({ consumer, slots, settled }) => ({
    name: 'settle',
    text,
    values: [
      consumer,
      heldJson(slots),
      JSON.stringify(
        settled.map(({ id, slot, verdict, attempt, claimed }) => ({
          delivery: id,
          slot,
          ...(claimed && { in_attempts: claimed.attempts, in_redrives: claimed.redrives }),
          ...verdictFields(verdict),
          ...attemptFields(attempt),
        })),
      ),
      heldLife(slots),
    ],
  })
}

/**
 * Gives deliveries back that were claimed and not tried: they are due again at once. Of their
 * starts, `startsLeft` stay on record. The update is written out here, because the schema's
 * function for verdicts keeps only those of attempts. A slot that was lost is left alone; `lost` is
 * a JSON list of these.
 */
export function giveBack(schema: string): (request: Settle) => Statement<{ lost: string }> {
  const text = `
    with held as materialized (
      select c.slot
        from json_to_recordset(${schema}.still_held($2::json, $4::text)) as h (slot smallint, epoch bigint)
        join ${schema}.cursors c
          on c.consumer = $1::text and c.slot = h.slot and c.epoch = h.epoch
        order by c.slot
        for share of c
    ), put as (
      update ${schema}.deliveries d set starts = b.starts, due_at = clock_timestamp()
        from json_to_recordset($3::json) as b (delivery bigint, slot smallint, starts integer,
            in_attempts integer, in_redrives integer)
          join held on held.slot = b.slot
        where d.id = b.delivery and d.consumer = $1::text and d.state = 'retrying'
          and d.attempts = coalesce(b.in_attempts, d.attempts)
          and d.redrives = coalesce(b.in_redrives, d.redrives)
    )
    select coalesce(json_agg(h.slot), '[]')::text as lost
      from json_to_recordset($2::json) as h (slot smallint)
      where h.slot not in (select held.slot from held)`
  return ({ consumer, slots, settled }) => ({
    name: 'give_back',
    text,
    values: [
      consumer,
      heldJson(slots),
      JSON.stringify(
        settled.map(({ id, slot, startsLeft, claimed }) => ({
          delivery: id,
          slot,
          starts: startsLeft,
          ...(claimed && { in_attempts: claimed.attempts, in_redrives: claimed.redrives }),
        })),
      ),
      heldLife(slots),
    ],
  })
}
