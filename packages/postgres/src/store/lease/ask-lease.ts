import { type Claim, OncekeyError } from '@oncekey/core'
import type { ClaimKey } from '../../sql/claim-key.ts'
import { isNeverSent } from '../../sql/never-sent.ts'
import { askReadCommitted } from '../../sql/read-committed.ts'
import { isOutcomeKnown, sqlState } from '../../sql/sql-state.ts'
import { storeError } from '../../sql/store-error.ts'
import { SERIALIZATION_FAILURE } from '../../sql/when-serialized.ts'
import type { ClaimLeaseJson } from '../statements/leases.ts'
import type { LeaseState } from './lease-state.ts'

/** The database's reply, and when it was asked, by `performance.now()`. */
export type LeaseReply = ClaimLeaseJson & { readonly askedAt: number }

/**
 * Sends the claim to the database: one statement, which commits by itself. If the reply is lost,
 * the claim may have won, so it is sent once more; it recognises its own attempt by the token.
 *
 * `doubted` is called when a reply is lost. From then on the server may carry the claim out at any
 * time, so it has to be given back unless its handler runs.
 */
export async function askLease<Tx>(
  store: LeaseState<Tx>,
  claim: Claim,
  key: ClaimKey,
  doubted: () => void,
): Promise<LeaseReply> {
  const { acquireTimeoutMs, client, readers, schema, statements } = store
  const statement = statements.claimLease(claim, key.lock)
  const reader = await readers.take({ timeoutMs: acquireTimeoutMs, signal: claim.signal })
  if (reader === undefined && claim.signal.aborted) return WITHDRAWN
  if (reader === undefined) throw noConnection(acquireTimeoutMs)
  const askedAt = performance.now()
  const until = askedAt + acquireTimeoutMs
  try {
    return { ...(await ask().catch(again)), askedAt }
  } catch (error) {
    throw storeError(error, schema)
  } finally {
    reader()
  }

  async function ask(): Promise<ClaimLeaseJson> {
    try {
      const options = { timeoutMs: until - performance.now() }
      return replyOf(await client.query(statement, options).catch(askAtReadCommitted))
    } catch (error) {
      if (!isBusy(error) && !isNeverSent(error) && !isOutcomeKnown(error)) doubted()
      throw error
    }
  }

  async function askAtReadCommitted(error: unknown): Promise<{ reply: string }[]> {
    if (sqlState(error) !== SERIALIZATION_FAILURE) throw error
    return await askReadCommitted(client, statement, { timeoutMs: acquireTimeoutMs })
  }

  async function again(error: unknown): Promise<ClaimLeaseJson> {
    if (isBusy(error) || isOutcomeKnown(error) || performance.now() >= until) throw error
    return await ask()
  }
}

function replyOf([row]: { reply: string }[]): ClaimLeaseJson {
  return JSON.parse(row?.reply ?? '')
}

function noConnection(timeoutMs: number): OncekeyError {
  return new OncekeyError(
    'store-busy',
    `The connections of the pool that are for claims were in use for ${timeoutMs} ms. ` +
      'Raise its `max`, or lower `maxConcurrent`.',
  )
}

function isBusy(error: unknown): boolean {
  return error instanceof OncekeyError && error.code === 'store-busy'
}

const WITHDRAWN = { state: 'in-progress', number: 0, left: 1_000, askedAt: 0 } as const
