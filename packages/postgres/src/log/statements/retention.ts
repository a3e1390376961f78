import { numbersOfEvents } from '../../schema/functions/expressions/handed-out.ts'
import { purgeBatch, RETENTION_AGO } from '../../sql/purge-batch.ts'
import type { Statement } from '../../sql/sql-client.ts'

/** Finds the partitions whose events are all older than the retention. */
export function partsOver(schema: string): (retentionMs: number) => Statement<{ part: string }> {
  return (retentionMs) => ({
    name: 'parts_over',
    text: `select * from ${schema}.parts_over($1::bigint)`,
    values: [retentionMs],
  })
}

/**
 * Empties a partition once every consumer has passed it. `dropped` is null if the partition was
 * kept: some consumer has not passed it, or it is in use, or nobody can tell, because the cursors
 * have numbers of another server, or what was appended since their sequence was set back counts as
 * passed although no consumer got it.
 */
export function dropPassed(
  schema: string,
): (part: number) => Statement<{ dropped: string | null }> {
  return (part) => ({
    name: 'drop_passed',
    text: `
      select case when ${isInOrder(schema)} then ${schema}.drop_passed($1::integer) end
          as dropped`,
    values: [part],
  })
}

/** Whether the numbers of events and transactions say what was appended before what. */
const isInOrder = (schema: string): string =>
  `${schema}.numbers_are_ours() and ${schema}.numbers_go_on(null)`

/**
 * Whether no event has a number above those of the sequence. A role that may not read the sequence
 * cannot tell, and gets true.
 */
const isLogInOrder = (schema: string): string => {
  const sequence = `${numbersOfEvents(schema)}::regclass`
  return `(case when has_sequence_privilege(${sequence}, 'select')
              then (select max(n.seq) from ${schema}.outbox n)
                > coalesce(pg_sequence_last_value(${sequence}), 0) end) is not true`
}

type Purge = (retentionMs: number, limit: number) => Statement<{ count: string }>

/**
 * Deletes the inbox rows of events that were taken in long ago, except those that a dead letter may
 * bring back, and those of events that may still be in the log. Whatever is there is read again by
 * who goes on after a crash, however long the consumer was paused meanwhile, and by a consumer that
 * was retired and begins anew under its name. An event is taken in after it was appended. So a row
 * that is older than the oldest event is of none in the log. A day is added, because numbers and
 * times are not handed out in exactly the same order, and clocks are set.
 *
 * The oldest event is the one with the lowest number, unless their sequence was set back. Until
 * that is repaired, or no event of before is left above the sequence, nothing is deleted. With the
 * repair it goes on record how old the oldest was, which counts until those numbers are gone from
 * the log.
 */
export function purgeProcessed(schema: string): Purge {
  const oldest = `select least(coalesce(o.appended_at, '-infinity'),
                (select n.oldest_at from ${schema}.numbering n where n.mixed_to >= o.seq))
                - interval '1 day'
              from ${schema}.outbox o order by o.seq limit 1`
  return purgeBatch('purge_processed', {
    due: `select p.ctid from ${schema}.processed_events p
          where (select ${isInOrder(schema)} and ${isLogInOrder(schema)})
            and p.processed_at <= least(${RETENTION_AGO}, (${oldest}))
            and not exists (
              select from ${schema}.deliveries d
                where d.consumer = p.consumer and d.event_id = p.event_id
                  and d.state not in ('resolved', 'retired'))`,
    act: `delete from ${schema}.processed_events`,
  })
}

/** Deletes dead letters that were redriven or discarded long ago. */
export function purgeResolved(schema: string): Purge {
  return purgeBatch('purge_resolved', {
    due: `select ctid from ${schema}.deliveries
          where state = 'resolved' and resolved_at <= ${RETENTION_AGO}
          order by resolved_at`,
    act: `delete from ${schema}.deliveries`,
  })
}

/**
 * Deletes the records of the portions of redrives that ended long ago. Each is a row of its own,
 * since one redrive has a portion for every tenth of a second of its time.
 */
export function purgePortions(schema: string): Purge {
  return purgeBatch('purge_redrive_portions', {
    due: `select p.ctid from ${schema}.redrives r
          join ${schema}.redrive_portions p on p.redrive = r.id
          where r.ended_at is not null and r.ended_at <= ${RETENTION_AGO}`,
    act: `delete from ${schema}.redrive_portions`,
    lock: 'p',
  })
}

/**
 * Deletes what redrives have taken, which only redrives that are running look at: as soon as they
 * have ended, because the rows may be millions.
 */
export function purgeTakenLetters(schema: string): (limit: number) => Statement<{ count: string }> {
  const purge = purgeBatch('purge_redrive_letters', {
    due: `select l.ctid from ${schema}.redrives r
          join ${schema}.redrive_letters l on l.redrive = r.id
          where r.ended_at is not null and r.ended_at <= ${RETENTION_AGO}`,
    act: `delete from ${schema}.redrive_letters`,
    lock: 'l',
  })
  return (limit) => purge(0, limit)
}

/** Deletes redrives that ended long ago and have no portion and no letter left. */
export function purgeRedrives(schema: string): Purge {
  return purgeBatch('purge_redrives', {
    due: `select r.ctid from ${schema}.redrives r
          where r.ended_at is not null and r.ended_at <= ${RETENTION_AGO}
            and not exists (
              select from ${schema}.redrive_portions p where p.redrive = r.id)
            and not exists (
              select from ${schema}.redrive_letters l where l.redrive = r.id)
          order by r.ended_at`,
    act: `delete from ${schema}.redrives`,
    lock: 'r',
  })
}
