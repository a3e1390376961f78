import type { Claim, Completion } from '@oncekey/core'
import { eventsJson } from '../../commit/append-events.ts'
import type { Statement } from '../../sql/sql-client.ts'
import type { FinishedJson } from './records.ts'

/** Claims a key with a lease and commits that, or returns why it was not claimed. */
export function claimLease(
  schema: string,
): (claim: Claim, lock: string) => Statement<{ reply: string }> {
  const text = `
    select ${schema}.claim_lease_7($1, $2, $3, $4, $5, $6,
      $7, $8, $9) as reply
      where ${schema}.takes_writes()`

  return (claim, lock) => ({
    name: 'claim_lease_7',
    text,
    values: [
      lock,
      claim.namespace,
      claim.scope,
      claim.key,
      JSON.stringify(claim.fingerprints),
      claim.token,
      Math.ceil(claim.leaseMs),
      String(claim.whenUnknown === 'hold'),
      claim.retakes ?? null,
    ],
  })
}

/** The JSON in `reply`. */
export type ClaimLeaseJson =
  | { readonly state: 'run'; readonly number: number }
  | FinishedJson
  | { readonly state: 'mismatch' }
  | {
      readonly state: 'in-progress'
      /** The attempt's number; 0 if a transaction holds the key and has no attempt's row. */
      readonly number: number
      /** How much is left of the attempt's lease. Milliseconds. */
      readonly left: number
    }
  /** `since`: milliseconds since 1970. */
  | { readonly state: 'unknown'; readonly attempt: string; readonly since: number }

/** Which attempt has the key of a claim: whether it is that claim's, and its number. */
export function heldBy(
  schema: string,
): (claim: Claim) => Statement<{ is_own: string; number: string }> {
  const text = `
    select (a.token is not distinct from $4)::text as is_own, a.number::text as number
      from ${schema}.attempts a where a.namespace = $1 and a.scope = $2 and a.key = $3`

  return ({ namespace, scope, key, token }) => ({
    name: 'held_by',
    text,
    values: [namespace, scope, key, token],
  })
}

/** Which lease to renew, and for how long from now. */
export interface LeaseRenewal {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  readonly token: string
  readonly ms: number
  /** From these values the attempt's row is written again if the database has lost it. */
  readonly fingerprint: string
  readonly number: number
  /** The number of the key's advisory lock. */
  readonly lock: string
  /** Whether the attempt's own transaction is open; it then holds the key's lock. */
  readonly is_open: boolean
}

/** Renews leases and deletes those of ended attempts; returns the tokens still held, as JSON. */
export function renewLeases(
  schema: string,
): (renewals: readonly LeaseRenewal[], over: readonly string[]) => Statement<{ held: string }> {
  const text = `select ${schema}.renew_leases_4($1, $2) as held`

  return (renewals, over) => ({
    name: 'renew_leases_4',
    text,
    values: [JSON.stringify(renewals), over.length === 0 ? null : JSON.stringify(over)],
  })
}

/** An attempt whose end is awaited. */
export interface AwaitedAttempt {
  /** The key's id in this process. */
  readonly id: string
  readonly lock: string
  readonly namespace: string
  readonly scope: string
  readonly key: string
  /** 0 if a transaction holds the key and has no attempt's row. */
  readonly number: number
}

/** Returns which of these attempts are over: the ids of at most {@link MOST_ENDED}, as JSON. */
export function endedAttempts(
  schema: string,
): (attempts: readonly AwaitedAttempt[]) => Statement<{ ended: string }> {
  const text = `select ${schema}.ended_attempts_2($1, $2) as ended`
  return (attempts) => ({
    name: 'ended_attempts',
    text,
    values: [JSON.stringify(attempts), MOST_ENDED],
    cancellable: true,
  })
}

/** Each attempt takes a lock, and by default a server has room for 6,400 locks in all. */
export const MOST_ENDED = 64

/**
 * Locks an attempt's row at the start of its transaction; raises if another attempt has the key.
 */
export function openAttempt(
  schema: string,
): (claim: Claim, lock: string, backstopMs: number) => Statement<{ reply: string }> {
  const text = `
    select ${schema}.open_attempt($1, $2, $3, $4, $5,
      $6) as reply`

  return ({ namespace, scope, key, token }, lock, backstopMs) => ({
    name: 'open_attempt',
    text,
    values: [lock, namespace, scope, key, token, backstopMs],
  })
}

/**
 * Turns an attempt into a record and writes its events; raises if another attempt has the key.
 * `started` identifies the attempt's transaction. It is null in autocommit, where the statement may
 * be repeated.
 */
export function completeAttempt(
  schema: string,
): (
  claim: Claim,
  completion: Completion,
  started: string | null,
) => Statement<{ outcome: 'stored' }> {
  const text = `
    select ${schema}.complete_attempt_5($1, $2, $3, $4, $5,
      $6, $7, $8, $9, $10, $11) as outcome`

  return (claim, { response, events }, started) => ({
    name: 'complete_attempt_5',
    text,
    values: [
      claim.token,
      claim.namespace,
      claim.scope,
      claim.key,
      response.status,
      response.body === null ? null : JSON.stringify(response.headers),
      response.body,
      response.seal,
      events.length === 0 ? null : eventsJson(events),
      started,
      claim.fingerprints[0],
    ],
  })
}

/** Deletes an attempt that still has its key, and marks it as released. */
export function releaseAttempt(schema: string): (claim: Claim) => Statement {
  const text = `select ${schema}.release_attempt_3($1, $2, $3, $4)::text`

  return ({ namespace, scope, key, token }) => ({
    name: 'release_attempt_3',
    text,
    values: [token, namespace, scope, key],
  })
}

/**
 * Makes the outcome of an attempt unknown if the attempt still has its key, and returns the key's
 * state.
 */
export function abandonAttempt(
  schema: string,
): (claim: Claim, number: number) => Statement<{ outcome: 'abandoned' | 'stored' | 'superseded' }> {
  const text = `select ${schema}.abandon_attempt_4($1, $2, $3, $4, $5, $6) as outcome`

  return ({ namespace, scope, key, token, fingerprints }, number) => ({
    name: 'abandon_attempt_4',
    text,
    values: [token, namespace, scope, key, fingerprints[0], number],
  })
}

/** A claim that is given back. */
export interface ClaimGivenBack {
  readonly lock: string
  readonly namespace: string
  readonly scope: string
  readonly key: string
  readonly token: string
}

/**
 * Undoes claims whose handlers never ran, and marks their tokens so that such a claim wins nothing
 * if it arrives later. Returns the tokens for which this is certain, as JSON; the others must be
 * sent again.
 */
export function giveBackAttempts(
  schema: string,
): (claims: readonly ClaimGivenBack[]) => Statement<{ given: string }> {
  const text = `select ${schema}.give_back_attempts($1) as given`
  return (claims) => ({ name: 'give_back_attempts', text, values: [JSON.stringify(claims)] })
}

/** Each claim takes a lock, as in {@link MOST_ENDED}. */
export const MOST_GIVEN_BACK = 64
