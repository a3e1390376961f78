import { setTimeout } from 'node:timers/promises'
import type { Claim } from '@oncekey/core'
import { sqlState } from '../sql-state.ts'
import { storeError } from '../store-error.ts'
import type { ClaimKey } from './claim-key.ts'
import type { Patience } from './patience.ts'
import type { WaitJson } from './statements/wait-for-end.ts'
import type { Answer, StoreState } from './store-state.ts'

/**
 * Waits for the end of an attempt in another process, on its lock; with one connection for all the
 * claims of a key in this process, and with half of the places at most.
 */
export async function waitElsewhere<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  patience: Patience,
): Promise<Answer<Tx>> {
  const already = store.elsewhere.get(key.id)
  if (already !== undefined) {
    return { kind: (await patience.outlasts(already)) ? 'outdated' : 'in-progress' }
  }
  const waiting = takeTurn<Tx>(store, claim, key, patience).then(afterRefusal)
  const forget = (): void => void store.elsewhere.delete(key.id)
  store.elsewhere.set(key.id, waiting.then(forget, forget))
  return await waiting
}

/**
 * An attempt that has ended without a record may be about to keep a refusal: that comes after the
 * rollback, and needs the lock that went with it. Who has waited lets it go first.
 */
async function afterRefusal<Tx>(answer: Answer<Tx>): Promise<Answer<Tx>> {
  if (answer.kind === 'outdated') await setTimeout(REFUSAL_MS)
  return answer
}

const REFUSAL_MS = 50

async function takeTurn<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  patience: Patience,
): Promise<Answer<Tx>> {
  const { signal } = claim
  // With one place only, waiting would stop everybody else.
  if (store.maxWaiters === 0) return { kind: 'in-progress' }
  const waiter = await store.waiters.take({ timeoutMs: patience.leftMs(), signal })
  const place = waiter && (await store.attempts.take({ timeoutMs: patience.leftMs(), signal }))
  try {
    if (place === undefined || patience.leftMs() === 0) return { kind: 'in-progress' }
    return await waitForEnd(store, claim, key, patience.leftMs())
  } finally {
    place?.()
    waiter?.()
  }
}

async function waitForEnd<Tx>(
  { acquireTimeoutMs, client, schema, statements }: StoreState<Tx>,
  claim: Claim,
  { lock }: ClaimKey,
  waitMs: number,
): Promise<Answer<Tx>> {
  const { signal } = claim
  try {
    const statement = statements.waitForEnd(claim, lock, waitMs)
    const [row] = await client.query(statement, { timeoutMs: acquireTimeoutMs + waitMs, signal })
    const answer: WaitJson = JSON.parse(row?.answer ?? '')
    if (answer.state === 'finished') return { kind: 'finished', record: answer.record }
    return { kind: answer.state }
  } catch (error) {
    // Withdrawn; or a statement_timeout of the role's own, shorter than the wait.
    if (signal.aborted || sqlState(error) === QUERY_CANCELED) return { kind: 'in-progress' }
    throw storeError(error, schema)
  }
}

const QUERY_CANCELED = '57014'
