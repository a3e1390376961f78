import type { Statement } from '../../sql/sql-client.ts'
import { textArray } from './dead-letter-filter.ts'
import { lifeOfAll } from './held-slots.ts'
import type { ParsedPosition } from './position.ts'

/**
 * Reads the next events of some slots; the last row has the snapshot in which they were read. If
 * more than 500 transactions and subtransactions have begun since the last one that has completed,
 * it writes a row and undoes that, to use up an id. Its commit is not waited for, so it can be
 * cancelled all the same.
 */
export function readEvents(
  schema: string,
): (question: ReadQuestion) => Statement<EventRow | SnapshotRow> {
  const text = `select * from ${schema}.read_events_6($7::text, $8::text,
      ${schema}.in_life($1::json, $6::text), $2::integer[], $3::text[], $4::integer, $5::integer,
      $9::bigint)`
  return ({ consumer, wanted, positions, slots, types, limit, scan, bytes }) => ({
    name: 'read_events',
    text,
    values: [
      JSON.stringify(
        positions.map(({ from, to, floor, seq }) => ({ f: from, t: to, o: floor, s: seq })),
      ),
      `{${slots.map((number) => number ?? 'NULL').join(',')}}`,
      types === null ? null : textArray(types),
      limit,
      scan,
      lifeOfAll(positions.map(({ life }) => life)),
      consumer,
      JSON.stringify(wanted),
      bytes,
    ],
    cancellable: true,
  })
}

export interface ReadQuestion {
  readonly consumer: string
  /** The types that must be on record, in normal form. */
  readonly wanted: readonly string[]
  readonly positions: readonly ParsedPosition[]
  /** For each of the 64 slots, which of the positions it is at, counted from 1. */
  readonly slots: readonly (number | null)[]
  readonly types: readonly string[] | null
  readonly limit: number
  /** How many rows are looked at, wanted or not. */
  readonly scan: number
  /** The page ends with the event that brings it to this many bytes. */
  readonly bytes: number
}

export interface EventRow {
  readonly slot: string
  readonly seq: string
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly ordering_key: string
  readonly data: string
  readonly headers: string
  readonly occurred_at: string
}

export interface SnapshotRow {
  readonly slot: null
  /** The highest number that was looked at; null if no row was looked at or if the page is full. */
  readonly seq: string | null
  /** `stopped` if there may be more rows above that number. */
  readonly type: 'stopped' | null
  /**
   * The highest number among the rows that were looked at and are visible in every position's `to`.
   */
  readonly source: string | null
  /** The snapshot, as text. */
  readonly data: string
}

/** Counts the events that a consumer has not passed, up to a limit. */
export function logLag(
  schema: string,
): (
  consumer: string,
  limit: number,
) => Statement<{ known: string; events: string; oldest_ms: string | null }> {
  const text = `
    select exists (select from ${schema}.consumers where name = $1::text)::text as known, l.*
      from ${schema}.log_lag_3($1::text, $2::integer) l`
  return (consumer, limit) => ({
    name: 'log_lag',
    text,
    values: [consumer, limit],
    cancellable: true,
  })
}

/**
 * Reads the name of the server's life, and sets one if there is none. A promoted standby or a
 * restored copy begins another life, in which earlier positions and epochs mean nothing.
 */
export function presentLife(schema: string): Statement<{ life: string }> {
  const text = `select ${schema}.name_life() as life where ${schema}.at_read_committed()`
  return { name: 'present_life', text, values: [] }
}

/** Repairs all cursors of a restored database; returns how many, or 0 if that was done before. */
export function rebaseCursors(schema: string): Statement<{ rebased: string }> {
  const text = `select ${schema}.rebase_3() as rebased where ${schema}.at_read_committed()`
  return { name: 'rebase', text, values: [] }
}

/**
 * Finds the transaction that began to write first of all that are open, in any database of the
 * cluster. A prepared transaction belongs to no process, and counts from when it was prepared.
 */
export function oldestWriter(): Statement<{ age_ms: string; pid: string }> {
  return {
    name: 'oldest_writer',
    text: `
      select (extract(epoch from clock_timestamp() - w.since) * 1000)::bigint::text as age_ms, w.pid
        from (
          select xact_start as since, pid::text from pg_stat_activity
            where backend_xid is not null and xact_start is not null and pid <> pg_backend_pid()
          union all
          select prepared, 'prepared transaction ' || gid from pg_prepared_xacts
        ) w
        order by w.since
        limit 1`,
    values: [],
    cancellable: true,
  }
}
