import { type Claim, OncekeyError } from '@oncekey/core'
import { isOutcomeKnown, sqlState } from '../../sql-state.ts'
import { storeError } from '../../store-error.ts'
import type { ClaimKey } from '../claim-key.ts'
import { askReadCommitted } from '../read-committed.ts'
import type { ClaimLeaseJson } from '../statements/claim-lease.ts'
import type { LeaseState } from './lease-state.ts'
import { SERIALIZATION_FAILURE } from './when-serialized.ts'

/**
 * Puts the claim to the database: one statement, which commits by itself. A claim whose answer is lost
 * may have won: it is sent once more, and knows its own attempt by its token. Where that fails too,
 * what it may have won is given back, because its handler does not run.
 */
export async function askLease<Tx>(
  store: LeaseState<Tx>,
  claim: Claim,
  { lock }: ClaimKey,
): Promise<ClaimLeaseJson> {
  const { acquireTimeoutMs, client, readers, schema, statements } = store
  const statement = statements.claimLease(claim, lock)
  const reader = await readers.take({ timeoutMs: acquireTimeoutMs, signal: claim.signal })
  if (reader === undefined && claim.signal.aborted) return WITHDRAWN
  if (reader === undefined) throw noConnection(acquireTimeoutMs)
  const until = performance.now() + acquireTimeoutMs
  try {
    return await ask().catch(again)
  } catch (error) {
    throw storeError(error, schema)
  } finally {
    reader()
  }

  async function ask(): Promise<ClaimLeaseJson> {
    return answerOf(await client.query(statement, { timeoutMs: until - performance.now() }))
  }

  async function again(error: unknown): Promise<ClaimLeaseJson> {
    if (sqlState(error) === SERIALIZATION_FAILURE) {
      const options = { timeoutMs: acquireTimeoutMs }
      return answerOf(await askReadCommitted(client, statement, options))
    }
    if (isBusy(error) || isOutcomeKnown(error)) throw error
    try {
      if (performance.now() >= until) throw error
      return await ask()
    } catch (lost) {
      if (!isBusy(lost) && !isOutcomeKnown(lost)) void giveBack(store, claim)
      throw lost
    }
  }
}

/** Undoes a claim that nobody runs a handler for. Only tried: the lease ends it, too. */
export async function giveBack<Tx>(store: LeaseState<Tx>, claim: Claim): Promise<void> {
  const { acquireTimeoutMs, client, statements } = store
  const options = { timeoutMs: acquireTimeoutMs }
  await client.query(statements.giveBackAttempt(claim), options).catch(() => {})
}

function answerOf([row]: { answer: string }[]): ClaimLeaseJson {
  return JSON.parse(row?.answer ?? '')
}

function noConnection(timeoutMs: number): OncekeyError {
  return new OncekeyError(
    'store-busy',
    `The connections of the pool that are for claims were in use for ${timeoutMs} ms. Raise its \`max\`, or lower \`maxConcurrent\`.`,
  )
}

function isBusy(error: unknown): boolean {
  return error instanceof OncekeyError && error.code === 'store-busy'
}

const WITHDRAWN = { state: 'in-progress', number: 0, left: 1_000 } as const
