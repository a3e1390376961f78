import { type actedBy, type DeadLetterFilter, LETTERS_LOOKED_AT, namesLetters } from '@oncekey/core'
import { auditCall, deadLetterTarget } from '../../operator/audit/audit-call.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { filterValues, isForgotten, isMeant, lookedAtOf } from './dead-letter-filter.ts'
import { isDone, putBack } from './dead-letter-redrive.ts'
import { type DeliveryRow, deliveryColumns, milliseconds } from './delivery-list.ts'

export function countDead(
  schema: string,
): (filter: DeadLetterFilter) => Statement<{ count: string }> {
  return (filter) => ({
    name: nameOf('count', filter),
    text: `select count(*)::text as count from ${lookedAtOf(schema, filter).letters()} where ${isMeant(filter)}`,
    values: filterValues(filter),
    cancellable: true,
  })
}

/**
 * Depth, age and rates in one row, each count stops at 100,000, which bounds the time of the
 * statement.
 */
export function deadStats(schema: string): Statement<DeadStatsRow> {
  return {
    name: 'dead_stats',
    text: `
      select
        (select count(*) from (select from ${schema}.deliveries d
          where d.state = 'dead' limit 100000) c)::text as depth,
        (select (extract(epoch from clock_timestamp() - d.dead_at) * 1000)::bigint
          from ${schema}.deliveries d where d.state = 'dead'
          order by d.dead_at, d.id limit 1)::text as oldest_age_ms,
        (select count(*) from (select from ${schema}.deliveries d
          where d.dead_at > now() - interval '1 hour' limit 100000) c)::text as arrived,
        (select count(*) from (select from ${schema}.deliveries d
          where d.state = 'resolved'
            and d.resolved_at > now() - interval '1 hour' limit 100000) c)::text as drained`,
    values: [],
    cancellable: true,
  }
}

export interface DeadStatsRow {
  readonly depth: string
  readonly oldest_age_ms: string | null
  /** The number that became dead in the last hour. */
  readonly arrived: string
  readonly drained: string
}

/** Groups the newest dead letters by consumer and kind of error, the largest group first. */
export function deadGroups(schema: string): Statement<DeadGroupRow> {
  return {
    name: 'dead_groups',
    text: `
      with groups as (
        select d.consumer, d.fingerprint, count(*) as count, min(d.dead_at) as oldest,
            max(d.dead_at) as newest, max(d.id) as sample
          from (
            select n.consumer, n.fingerprint, n.dead_at, n.id from ${schema}.deliveries n
              where n.state = 'dead' order by n.dead_at desc, n.id desc limit ${LETTERS_LOOKED_AT}
          ) d
          group by d.consumer, d.fingerprint
      ), largest as (
        select * from groups g order by g.count desc, g.consumer limit 100
      )
      select g.consumer, coalesce(g.fingerprint, '') as fingerprint, g.count::text as count,
          ${milliseconds('g.oldest')} as oldest_at, ${milliseconds('g.newest')} as newest_at,
          g.sample::text as sample, s.error_name as name, s.error_message as message
        from largest g join ${schema}.deliveries s on s.id = g.sample
        order by g.count desc, g.consumer`,
    values: [],
    cancellable: true,
  }
}

export interface DeadGroupRow {
  readonly consumer: string
  readonly fingerprint: string
  readonly count: string
  readonly oldest_at: string
  readonly newest_at: string
  readonly sample: string
  readonly name: string | null
  readonly message: string | null
}

/**
 * Lists dead letters, the oldest first. `after` is the `dead_at_exact` and the `id` of the last
 * letter of the page before. Where a page is short and there are more letters to look at, each row
 * has the page token behind those it looked at. A page without letters is one row without an id.
 */
export function listDead(
  schema: string,
): (
  filter: DeadLetterFilter,
  limit: number,
  after: readonly [deadAt: string, id: string] | undefined,
) => Statement<ListedLetterRow> {
  const isBehind = `($10::bigint is null or (d.dead_at, d.id)
          > (timestamptz 'epoch' + $10::bigint * interval '1 microsecond', $11::bigint))`
  return (filter, limit, after) => ({
    name: nameOf('list', filter),
    text: `
      select page.*, case when count(page.id) over () < $12::integer
          then ${lookedAtOf(schema, filter).last(isBehind)} end as looked_to
      from (select) one left join lateral (
        select ${deliveryColumns},
            (extract(epoch from d.dead_at) * 1000000)::bigint::text as dead_at_exact,
            (row_number() over (order by d.dead_at, d.id))::text as number
          from ${lookedAtOf(schema, filter).letters(isBehind)}
          where ${isMeant(filter)} and ${isBehind}
          order by d.dead_at, d.id
          limit $12::integer
      ) page on true
      order by page.number::integer`,
    values: [...filterValues(filter), after?.[0] ?? null, after?.[1] ?? null, limit],
    cancellable: true,
  })
}

export interface ListedLetterRow extends Omit<DeliveryRow, 'id'> {
  readonly id: string | null
  readonly dead_at_exact: string
  readonly looked_to: string | null
}

/** A statement of another text has another name. */
function nameOf(verb: 'count' | 'list', filter: DeadLetterFilter): string {
  const which = filter.retired === true ? 'retired' : 'dead'
  return namesLetters(filter) ? `${verb}_named_${which}` : `${verb}_${which}`
}

/**
 * Puts dead letters back, the oldest first. If the inbox shows that the consumer has already taken
 * in the event (in a commit whose reply was lost), the letter becomes resolved instead.
 */
export function redriveDead(
  schema: string,
): (
  filter: DeadLetterFilter,
  limit: number,
  by: ReturnType<typeof actedBy>,
) => Statement<{ id: string; outcome: 'redriven' | 'already-done' }> {
  return (filter, limit, by) => {
    const audit = auditCall(schema, {
      actor: '$11',
      note: '$12',
      act: 'dead-letters.redrive',
      target: `'["dead-letters","consumers"]'`,
      detail: `jsonb_build_object('ids', jsonb_agg(put.id::text order by put.id))`,
    })
    return {
      name: 'redrive_dead',
      text: `
      with due as materialized (
        select d.id, ${isDone(schema)} as done
          from ${schema}.deliveries d
          where ${isMeant({})} and not ${isForgotten(schema)}
          order by d.dead_at, d.id
          limit $10::integer
          for update of d skip locked
      ), put as (
        ${putBack(schema)}
          returning d.id, due.done
      )
      select id::text, case when done then 'already-done' else 'redriven' end as outcome,
        (select ${audit} from put having count(*) > 0)::text as operation from put`,
      values: [...filterValues(filter), limit, by.actor, by.note],
    }
  }
}

/**
 * Marks dead letters as never to be delivered, with an audit entry for each. They are locked in
 * order of their ids, as by everybody who waits for several of them.
 */
export function discardDead(
  schema: string,
): (
  ids: readonly string[],
  note: string,
  by: ReturnType<typeof actedBy>,
) => Statement<{ id: string }> {
  const audit = auditCall(schema, {
    actor: '$3',
    note: '$2',
    act: 'dead-letters.discard',
    target: deadLetterTarget('consumers', 'put.id'),
    detail: `jsonb_build_object('origin', put.consumer, 'eventId', put.event_id, 'type', put.type)`,
  })
  return (ids, note, by) => ({
    name: 'discard_dead',
    text: `
      with due as materialized (
        select d.id from ${schema}.deliveries d
          where d.id = any($1::bigint[]) and d.state in ('dead', 'retired')
          order by d.id
          for no key update of d
      ), put as (
        update ${schema}.deliveries d
          set state = 'resolved', resolution = 'discarded', note = $2::text,
            resolved_at = clock_timestamp()
          from due where d.id = due.id
          returning d.id, d.consumer, d.event_id, d.type
      )
      select put.id::text as id, ${audit}::text as operation from put`,
    values: [`{${ids.join(',')}}`, note, by.actor],
  })
}
