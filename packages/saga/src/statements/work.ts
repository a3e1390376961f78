import { BEGUN_AT, type Statement } from '@oncekey/postgres/client'
import type { RunJson } from './run-json.ts'

/** Claims due runs whose definition is known: one suspect, or runs that are none. */
export function claimRuns(
  schema: string,
): (claim: ClaimRuns) => Statement<{ runs: string | null }> {
  const text = `
    select ${schema}.saga_claim_3($1::json, $2::text, $3::integer, $4::integer, $5::integer,
      $6::integer)::text as runs`

  return ({ known, owner, leaseMs, limit, mostLost, suspectWaitMs }) => ({
    name: 'saga_claim_runs',
    text,
    values: [JSON.stringify(known), owner, leaseMs, limit, mostLost, suspectWaitMs],
  })
}

/** Which runs may be taken, by how many owners they have lost since their last move. */
export interface Takable {
  /** A run that has lost more is a suspect. */
  readonly mostLost: number
  /**
   * How long a suspect has to have been due to be taken; `null` if none is to be. Milliseconds.
   */
  readonly suspectWaitMs: number | null
}

export interface ClaimRuns extends Takable {
  readonly known: readonly string[]
  readonly owner: string
  readonly leaseMs: number
  readonly limit: number
}

/** The JSON in `runs`, which is null if there were none. */
export type ClaimedJson = readonly RunJson[]

/**
 * Takes one run if it is due. If it is given the caller's own epoch, takes a run again that the
 * caller has.
 */
export function takeRun(schema: string): (take: TakeRun) => Statement<{ run: string | null }> {
  const text = `
    select ${schema}.saga_take_4($1::text, $2::bigint, $3::text, $4::integer, $5::integer,
      $6::integer)::text as run`

  return ({ id, epoch, owner, leaseMs, mostLost, suspectWaitMs }) => ({
    name: 'saga_take_run',
    text,
    values: [id, epoch, owner, leaseMs, mostLost, suspectWaitMs],
  })
}

export interface TakeRun extends Takable {
  readonly id: string
  readonly epoch: number | null
  readonly owner: string
  readonly leaseMs: number
}

/**
 * Finds what a process owns and does not know of, because the question that took it got no answer.
 * `kept` are the runs it does know of.
 */
export function findUnanswered(schema: string): (of: FindUnanswered) => Statement<HeldMove> {
  const text = `
    select w.run_id as id, w.epoch, w.move from ${schema}.saga_work w
      where w.owner = $1::text
        and w.due_at <= clock_timestamp() + $2::integer * interval '1 millisecond'
        and w.run_id not in (select json_array_elements_text($3::json))`

  return ({ owner, leaseMs, kept }) => ({
    name: 'saga_find_unanswered',
    text,
    values: [owner, leaseMs, JSON.stringify(kept)],
    cancellable: true,
  })
}

export interface FindUnanswered {
  readonly owner: string
  readonly leaseMs: number
  readonly kept: readonly string[]
}

/**
 * Makes due what `findUnanswered` has found. Nothing counts as lost. The statement may be carried
 * out long after it was sent, so it names the last move of each run: what was taken since has
 * another. A locked row is in a step's transaction or is being taken.
 */
export function giveBackUnanswered(
  schema: string,
): (owner: string, found: readonly HeldMove[]) => Statement {
  const text = `
    with found as materialized (
      select f.id, f.epoch, f.move
        from json_to_recordset($2::json) as f (id text, epoch bigint, move text)
    ), unknown as materialized (
      select w.run_id from ${schema}.saga_work w
        join found f on f.id = w.run_id and f.epoch = w.epoch and f.move = w.move
        where w.owner = $1::text
        for no key update of w skip locked
    )
    update ${schema}.saga_work w set owner = null, due_at = now(), due_in_ms = 0
      from unknown where w.run_id = unknown.run_id`

  return (owner, found) => ({
    name: 'saga_give_back_unanswered',
    text,
    values: [owner, JSON.stringify(found)],
  })
}

/**
 * Leaves a run to whoever claims it when its lease is over, and not before: its process stops while
 * the step's function is still running. The owner stays, so no operator takes the run earlier. The
 * claim will count the owner as lost, which it is not, so one is taken off beforehand.
 */
export function leaveRun(schema: string): (left: HeldMove) => Statement {
  const text = `
    update ${schema}.saga_work w set lost = w.lost - 1
      where w.run_id = $1::text and w.epoch = $2::bigint and w.move = $3::text`

  return ({ id, epoch, move }) => ({ name: 'saga_leave_run', text, values: [id, epoch, move] })
}

/**
 * Parks a run again that was parked and that its caller was given all the same. Returns nothing if
 * an operator has resumed or cancelled it meanwhile: an act waits for this statement, or this one
 * for the act.
 */
export function parkAgain(schema: string): (taken: HeldMove) => Statement<{ id: string }> {
  const text = `
    with dead as materialized (
      select r.id from ${schema}.saga_runs r
        where r.id = $1::text and r.state in ('stuck', 'compensation-failed')
        for share of r
    )
    update ${schema}.saga_work w set owner = null, lost = 0, due_at = 'infinity'
      from dead
      where w.run_id = dead.id and w.epoch = $2::bigint and w.move = $3::text
      returning w.run_id as id`

  return ({ id, epoch, move }) => ({ name: 'saga_park_again', text, values: [id, epoch, move] })
}

/** A run as its owner knows it. */
export interface HeldMove {
  readonly id: string
  /** Text where the database has returned it. */
  readonly epoch: number | string
  /** The name of the last move that the owner knows to be on record. */
  readonly move: string
}

/**
 * Ties the transaction to a run, and tells where the transaction is. Raises if another process has
 * the run, the previous move is not on record, or the run was cancelled.
 */
export function holdRun(
  schema: string,
): (hold: HoldRun) => Statement<{ backend: string; started: string }> {
  const text = `
    select ${schema}.saga_hold_2($1::text, $2::bigint, $3::text, $4::text, $5::integer,
      $6::integer) as held, ${BEGUN_AT}`

  return ({ id, epoch, move, state, leaseMs, backstopMs }) => ({
    name: 'saga_hold_run',
    text,
    values: [id, epoch, move, state, leaseMs, backstopMs],
  })
}

export interface HoldRun {
  readonly id: string
  readonly epoch: number
  /** The name of the last move that the owner knows to be on record. */
  readonly move: string
  /** The state in which the owner believes the run to be. */
  readonly state: 'running' | 'compensating'
  readonly leaseMs: number
  /**
   * How long the transaction may be idle before the server ends it; 0 for no limit. Milliseconds.
   */
  readonly backstopMs: number
}

/** Asks a session whether it is still in the transaction that `holdRun` has tied to the run. */
export function isHeld(): (hold: HeldMove) => Statement<{ same: string }> {
  const text = `
    select (current_setting('oncekey.saga', true) is not distinct from $1::text)::text as same`

  return ({ id, epoch, move }) => ({
    name: 'saga_is_held',
    text,
    values: [`${id} ${epoch} ${move}`],
  })
}

/**
 * Extends the leases of all runs that a process drives, and returns the runs that it still has,
 * with their state. If a row is locked, a step's transaction is open, which protects the run
 * without a lease. A run that waits, was given back or is parked keeps its epoch and has no owner:
 * its due time is not changed, also if this statement comes after the move that its sender made.
 */
export function renewLeases(
  schema: string,
): (held: readonly HeldJson[], leaseMs: number) => Statement<HeldState> {
  const text = `
    with held as materialized (
      select h.id, h.epoch from json_to_recordset($1::json) as h (id text, epoch bigint)
    ), free as materialized (
      select w.run_id from ${schema}.saga_work w
        join held on held.id = w.run_id and held.epoch = w.epoch
        where w.owner is not null
        for no key update of w skip locked
    ), renewed as (
      update ${schema}.saga_work w
        set due_at = clock_timestamp() + $2::integer * interval '1 millisecond',
          due_in_ms = $2::integer
        from free where w.run_id = free.run_id
    )
    ${stillHeld(schema)}`

  return (held, leaseMs) => ({
    name: 'saga_renew_leases',
    text,
    values: [JSON.stringify(held), leaseMs],
  })
}

/** Reads the state of the runs that a process drives, to see whether one was cancelled. */
export function watchRuns(schema: string): (held: readonly HeldJson[]) => Statement<HeldState> {
  const text = `
    with held as materialized (
      select h.id, h.epoch from json_to_recordset($1::json) as h (id text, epoch bigint)
    )
    ${stillHeld(schema)}`

  return (held) => ({
    name: 'saga_watch_runs',
    text,
    values: [JSON.stringify(held)],
    cancellable: true,
  })
}

const stillHeld = (
  schema: string,
) => `select w.run_id as id, w.epoch, r.state from ${schema}.saga_work w
      join held on held.id = w.run_id and held.epoch = w.epoch
      join ${schema}.saga_runs r on r.id = w.run_id`

export interface HeldJson {
  readonly id: string
  readonly epoch: number
}

export interface HeldState {
  readonly id: string
  readonly epoch: string
  readonly state: string
}

/**
 * Repairs runs after the database's clock was put back, whose due times are further ahead than they
 * were set for. What waits is made due. A lease begins again: its owner may live. A locked row is
 * in a step's transaction. Rows written by an earlier release do not record how far ahead they were
 * set, and are not changed.
 */
export function mendDueTimes(schema: string): () => Statement<{ count: string }> {
  const text = `
    with too_far as materialized (
      select w.run_id from ${schema}.saga_work w
        where isfinite(w.due_at) and w.move_epoch = w.epoch
          and w.due_at > clock_timestamp() + (w.due_in_ms + 5000) * interval '1 millisecond'
        for no key update skip locked
    ), mended as (
      update ${schema}.saga_work w
        set due_at = case when w.owner is null then now()
            else clock_timestamp() + w.due_in_ms * interval '1 millisecond' end,
          due_in_ms = case when w.owner is null then 0 else w.due_in_ms end
        from too_far where w.run_id = too_far.run_id
        returning 1
    )
    select count(*)::text as count from mended`

  return () => ({ name: 'saga_mend_due_times', text, values: [] })
}
