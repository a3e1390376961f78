import type { Statement } from '../../sql-client.ts'
import type { Place } from '../place.ts'
import { textArray } from './dead-letter-filter.ts'
import { lifeOfAll } from './held-json.ts'

/** The next events of some slots; the last row says in which snapshot they were read. */
export function readEvents(
  schema: string,
): (question: ReadQuestion) => Statement<EventRow | SnapshotRow> {
  const text = `select * from ${schema}.read_events_3(${schema}.in_life($1::json, $6::text), $2::integer[],
      $3::text[], $4::integer, $5::integer, $9::bigint)
    where (select ${schema}.is_wanted($7::text, $8::text))`
  return ({ consumer, wanted, places, slots, types, limit, scan, bytes }) => ({
    name: 'read_events',
    text,
    values: [
      JSON.stringify(
        places.map(({ from, to, floor, seq }) => ({ f: from, t: to, o: floor, s: seq })),
      ),
      `{${slots.map((place) => place ?? 'NULL').join(',')}}`,
      types === null ? null : textArray(types),
      limit,
      scan,
      lifeOfAll(places.map(({ life }) => life)),
      consumer,
      JSON.stringify(wanted),
      bytes,
    ],
  })
}

export interface ReadQuestion {
  readonly consumer: string
  /** What must be on record, in normal form. */
  readonly wanted: readonly string[]
  readonly places: readonly Place[]
  /** Of each of the 64 slots the number of its place, from 1. */
  readonly slots: readonly (number | null)[]
  readonly types: readonly string[] | null
  readonly limit: number
  /** How many rows are looked at, wanted or not. */
  readonly scan: number
  /** The page ends with the event that brings it to so many. */
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
  /** The highest number that was looked at; null where there was none, and where the page is full. */
  readonly seq: string | null
  /** Whether there may be more behind that number. */
  readonly type: 'stopped' | null
  /** The highest number that was looked at and is visible up to where all places are read. */
  readonly source: string | null
  /** The snapshot. */
  readonly data: string
}
