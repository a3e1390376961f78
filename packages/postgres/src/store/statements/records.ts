import type { Claim, Completion, StoredResponse } from '@oncekey/core'
import { eventsJson } from '../../commit/append-events.ts'
import type { Began, StartedJson } from '../../commit/attempt-mark.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { typeIds } from './type-ids.ts'

const { bigint, boolean, bytea, integer, json, text: string } = typeIds

/**
 * The first statement of a transaction: takes the key's advisory lock and reads its record. The
 * reply is the record, or that another attempt is running, or in which server process this
 * attempt's transaction runs.
 */
export function claim(schema: string): (question: ClaimQuestion) => Statement<{ reply: string }> {
  const text = `select ${schema}.claim_3($1, $2, $3, $4, $5, $6, $7) as reply`

  return ({ claim, lock, mark, backstopMs, readsRecord }) => ({
    name: 'claim',
    text,
    values: [lock, claim.namespace, claim.scope, claim.key, mark, backstopMs, String(readsRecord)],
    types: CLAIM_TYPES,
  })
}

const CLAIM_TYPES = [bigint, string, string, string, string, integer, boolean]

export interface ClaimQuestion {
  readonly claim: Claim
  readonly lock: string
  /** See {@link markOf}. */
  readonly mark: string | null
  /**
   * The server ends the transaction after this long without a statement; 0 for never. Milliseconds.
   */
  readonly backstopMs: number
  /** Whether to look for a record; if false, only the lock is taken. */
  readonly readsRecord: boolean
}

/** The JSON in `reply`. */
export type ClaimJson = StartedJson | FoundJson | { readonly state: 'in-progress' }

/** Reads the record of a key in a new snapshot. */
export function findRecord(schema: string): (claim: Claim) => Statement<{ reply: string | null }> {
  const text = `select ${schema}.find_record($1, $2, $3) as reply where ${schema}.takes_writes()`

  return ({ namespace, scope, key }) => ({
    name: 'find_record',
    text,
    values: [namespace, scope, key],
    cancellable: true,
  })
}

/** The JSON in `reply`, which is null for an unknown key. */
export type FoundJson = FinishedJson | LeasedJson

export interface FinishedJson {
  readonly state: 'finished'
  readonly record: RecordJson
}

/** A store in lease mode has claimed the key. */
export interface LeasedJson {
  readonly state: 'leased'
  readonly fingerprint: string
  readonly number: number
  /** How a claim names it in `retakes`. */
  readonly attempt: string
  /** The claim was given back while it was being committed: no handler runs under it. */
  readonly given_back: boolean
  /** Whether its lease has ended, so that its outcome is unknown. */
  readonly lapsed: boolean
  /** When its lease ended or will end: milliseconds since 1970. */
  readonly since: number
}

export interface RecordJson {
  readonly fingerprint: string
  readonly status: number
  /** JSON text. */
  readonly headers: string | null
  /** Hexadecimal; null if the body was not stored or has been purged. */
  readonly body: string | null
  readonly seal: string | null
}

/** Waits at most `waitMs` for the end of another process's attempt. */
export function waitForEnd(
  schema: string,
): (claim: Claim, lock: string, waitMs: number) => Statement<{ reply: string }> {
  const text = `select ${schema}.wait_for_end($1, $2, $3, $4, $5) as reply where ${schema}.takes_writes()`

  return ({ namespace, scope, key }, lock, waitMs) => ({
    name: 'wait_for_end',
    text,
    values: [lock, namespace, scope, key, waitMs],
    cancellable: true,
  })
}

/** The JSON in `reply`. */
export type WaitJson =
  | { readonly state: 'finished'; readonly record: RecordJson }
  /** The attempt that was waited for has ended without a record. */
  | { readonly state: 'outdated' }
  | { readonly state: 'in-progress' }

/**
 * Writes the record and its events. Raises if the attempt no longer owns the key, or if this is not
 * the transaction that claimed.
 */
export function complete(
  schema: string,
): (claim: Claim, completion: Completion, began: Began) => Statement {
  const text = `select ${schema}.complete_4($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as outcome`

  return (claim, { response, events }, { mark, started }) => ({
    name: 'complete_4',
    text,
    values: [
      mark,
      started,
      claim.namespace,
      claim.scope,
      claim.key,
      claim.fingerprints[0],
      response.status,
      response.body === null ? null : JSON.stringify(response.headers),
      response.body,
      response.seal,
      events.length === 0 ? null : eventsJson(events),
    ],
    types: COMPLETE_TYPES,
  })
}

const COMPLETE_TYPES = [
  ...[string, bigint, string, string, string, string],
  ...[integer, string, bytea, string, json],
]

/**
 * Writes the record of a refusal, unless another attempt has got the key meanwhile. If this attempt
 * took the key over from an attempt in lease mode, `replaced` is that one's name: its row came back
 * when this attempt was rolled back, and is deleted with the refusal. Otherwise it is null.
 */
export function refuse(
  schema: string,
): (
  claim: Claim,
  lock: string,
  response: StoredResponse,
  replaced: string | null,
) => Statement<{ outcome: 'stored' | 'superseded' }> {
  const text = `select ${schema}.refuse_5($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as outcome`

  return (claim, lock, response, replaced) => ({
    name: 'refuse_5',
    text,
    values: [
      lock,
      claim.namespace,
      claim.scope,
      claim.key,
      claim.fingerprints[0],
      response.status,
      response.body === null ? null : JSON.stringify(response.headers),
      response.body,
      response.seal,
      replaced,
    ],
  })
}

/**
 * Writes a record without a response: the request never runs again, and has no response to replay.
 */
export function spendKey(schema: string): (claim: Claim) => Statement {
  const text = `select ${schema}.spend_key($1, $2, $3, $4)::text`

  return ({ namespace, scope, key, fingerprints }) => ({
    name: 'spend_key',
    text,
    values: [namespace, scope, key, fingerprints[0]],
  })
}

/**
 * Deletes the lease-mode attempt of this name if its outcome is unknown, and starts this attempt in
 * the transaction. If the reply is `in-progress`, the transaction has to be rolled back.
 */
export function replaceAttempt(
  schema: string,
): (
  claim: Claim,
  lock: string,
  attempt: string,
  backstopMs: number,
) => Statement<{ reply: string }> {
  const text = `
    select ${schema}.replace_attempt_3($1, $2, $3, $4, $5,
      $6, $7) as reply`

  return ({ namespace, scope, key, token }, lock, attempt, backstopMs) => ({
    name: 'replace_attempt_3',
    text,
    values: [lock, namespace, scope, key, attempt, token, backstopMs],
  })
}
