import type { SqlValue, Statement } from '../../sql/sql-client.ts'
import { dueAt } from './due-at.ts'
import type { RedriveKind } from './redrive-kind.ts'

export interface CarriedRow {
  readonly redriven: string
}

/**
 * Carries one portion of a redrive, in one statement: looks at the next rows behind the redrive's
 * cursor, puts back those that match its filter, moves the cursor and updates the counts. Returns
 * no row if another process is carrying the redrive at this moment, or if it is not due.
 *
 * The number of rows it looks at is bounded. A filter that matches few of very many rows then costs
 * many short statements instead of a long one. A letter that another redrive has locked is waited
 * for, not skipped: if that redrive rolls back, this one takes the letter. `pace` is the rate, at
 * least 1e-6: the waits computed from a lower rate would overflow, and the portion would fail for
 * ever.
 *
 * It takes the rows that were there when the redrive started, by their times. A row whose time lies
 * in the future was there, too: the clock was put back since. It takes no letter a second time that
 * it has already put back: if the clock was put back in between, a letter that dies again can have
 * a time from before the redrive's start.
 */
export function carryPortion(
  schema: string,
  kind: RedriveKind,
): (id: string, filter: unknown) => Statement<CarriedRow> {
  return (id, filter) => {
    const values: readonly SqlValue[] = kind.values(filter)
    const [redrive, looked] = [`$${values.length + 1}`, `$${values.length + 2}`]
    const alias = kind.table.split(' ').at(-1)
    const isUntaken = `
                  and not exists (select from ${schema}.redrive_letters t
                    where t.redrive = mine.id and t.letter = ${kind.id}::text)`
    const candidates = (when: string): string => `(
                    select * from ${kind.table}
                      where ${kind.isCandidate(filter)} and ${when}
                        and ${kind.at} >= mine.cursor_at
                        and (${kind.at}, ${kind.id}) > (mine.cursor_at,
                          case when mine.cursor_id = '' then '${kind.lowestId}'
                            else mine.cursor_id end::${kind.idType})
                      order by ${kind.at}, ${kind.id}
                      limit ${looked}::integer
                  )`
    return {
      name: `carry_${kind.source}_${kind.kind}`,
      text: `
      with mine as materialized (
        select r.*, greatest(r.started_at, clock_timestamp() + interval '5 seconds') as ahead_at,
            ${dueAt('r')} as due_at, greatest(r.rate, 1e-6) as pace, greatest(1, least(
              least(1000, ceil(greatest(r.rate, 1e-6) / 10))::bigint, r.most - r.redriven)) as size
          from ${schema}.redrives r
          where r.id = ${redrive}::bigint and r.state = 'running' and ${dueAt('r')} <= clock_timestamp()
          for update skip locked
      ), looked as materialized (
        select c.id, c.at, c.is_meant,
            count(*) filter (where c.is_meant) over (order by c.at, c.id) as nth
          from (
            select ${kind.id} as id, ${kind.at} as at,
                coalesce(${kind.isMeant}, false)${isUntaken} as is_meant
              from mine cross join lateral (
                select * from (
                  ${candidates(`${kind.at} <= mine.started_at`)}
                  union all
                  ${candidates(`${kind.at} > mine.ahead_at`)}
                ) ${alias}
                  order by ${kind.at}, ${kind.id}
                  limit ${looked}::integer
              ) ${alias} ${kind.join}
          ) c
      ), passed as materialized (
        select l.* from looked l cross join mine m where l.nth - l.is_meant::integer < m.size
      ), picked as materialized (
        select p.id, p.at from passed p where p.is_meant
      ), ${kind.put}, told as materialized (
        select picked.id::text as id, coalesce(put.outcome, 'not-matched') as outcome
          from picked left join put on put.id = picked.id
      ), counts as materialized (
        select count(*) filter (where t.outcome = 'redriven') as redriven,
            count(*) filter (where t.outcome <> 'redriven') as refused,
            coalesce(json_agg(t.id) filter (where t.outcome = 'redriven'), '[]') as ids,
            coalesce(json_agg(json_build_object('id', t.id, 'outcome', t.outcome))
              filter (where t.outcome <> 'redriven'), '[]') as others,
            (select count(*) from looked) < ${looked}::integer
              and (select count(*) from looked) = (select count(*) from passed) as is_last
          from told t
      ), portion as (
        insert into ${schema}.redrive_portions (redrive, redriven, refused)
          select m.id, c.ids, c.others from mine m cross join counts c
            where c.redriven + c.refused > 0
      ), taken as (
        insert into ${schema}.redrive_letters (redrive, letter)
          select m.id, t.id from mine m cross join told t where t.outcome = 'redriven'
      ), progress as (
        update ${schema}.redrives r
          set redriven = r.redriven + c.redriven, refused = r.refused + c.refused,
            cursor_at = coalesce(l.at, r.cursor_at), cursor_id = coalesce(l.id, r.cursor_id),
            next_at = greatest(m.due_at, clock_timestamp() - interval '1 second')
              + (c.redriven + c.refused) / m.pace * interval '1 second',
            state = case when e.is_over then 'done' else r.state end,
            ended_at = case when e.is_over then clock_timestamp() end
          from mine m cross join counts c
            cross join lateral (select c.is_last or m.redriven + c.redriven >= m.most is true
              as is_over) e
            left join lateral (
              select p.at, p.id::text as id from passed p order by p.at desc, p.id desc limit 1
            ) l on true
          where r.id = m.id
          returning c.redriven
      )
      select redriven::text as redriven from progress`,
      values: [...values, id, ROWS_PER_PORTION],
    }
  }
}

/** How many rows one portion looks at: some milliseconds of work. */
const ROWS_PER_PORTION = 5_000
