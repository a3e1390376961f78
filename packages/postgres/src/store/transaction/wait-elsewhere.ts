import { type Claim, sleep } from '@oncekey/core'
import type { ClaimKey } from '../../sql/claim-key.ts'
import { isDriverTimeout } from '../../sql/driver-timeout.ts'
import { sqlState } from '../../sql/sql-state.ts'
import { storeError } from '../../sql/store-error.ts'
import type { Patience } from '../attempt/patience.ts'
import type { DatabaseReply, StoreState } from '../attempt/store-state.ts'
import type { WaitJson } from '../statements/records.ts'

/**
 * Waits for an attempt of another process to end, by waiting for its lock. All claims of a key in
 * this process share one connection for that, and such waits take at most half of the permits.
 */
export async function waitElsewhere<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  patience: Patience,
): Promise<DatabaseReply<Tx>> {
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
 * An attempt that ended without a record may be about to store a refusal: it does so after its
 * rollback, which released the lock that storing needs. So the waiter pauses and lets the attempt
 * go first.
 */
async function afterRefusal<Tx>(reply: DatabaseReply<Tx>): Promise<DatabaseReply<Tx>> {
  if (reply.kind === 'outdated') await sleep(REFUSAL_MS)
  return reply
}

const REFUSAL_MS = 50

async function takeTurn<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  patience: Patience,
): Promise<DatabaseReply<Tx>> {
  const { signal } = claim
  // With a single permit, a waiter would block every other request.
  if (store.maxWaiters === 0) return { kind: 'in-progress' }
  const waiter = await store.waiters.take({ timeoutMs: patience.leftMs(), signal })
  const permit = waiter && (await store.attempts.take({ timeoutMs: patience.leftMs(), signal }))
  try {
    // Looked at once, because time goes on, and to the server a limit of 0 is none.
    const leftMs = patience.leftMs()
    if (permit === undefined || leftMs === 0) return { kind: 'in-progress' }
    return await waitForEnd(store, claim, key, leftMs)
  } finally {
    permit?.()
    waiter?.()
  }
}

async function waitForEnd<Tx>(
  { acquireTimeoutMs, client, schema, statements }: StoreState<Tx>,
  claim: Claim,
  { lock }: ClaimKey,
  waitMs: number,
): Promise<DatabaseReply<Tx>> {
  const { signal } = claim
  try {
    const statement = statements.waitForEnd(claim, lock, waitMs)
    const [row] = await client.query(statement, { timeoutMs: acquireTimeoutMs + waitMs, signal })
    const reply: WaitJson = JSON.parse(row?.reply ?? '')
    if (reply.state === 'finished') return { kind: 'finished', record: reply.record }
    return { kind: reply.state }
  } catch (error) {
    // The claim was withdrawn, or a timeout of the role or the pool was shorter than the wait.
    const isCutShort = CUT_SHORT.has(sqlState(error) ?? '') || isDriverTimeout(error)
    if (signal.aborted || isCutShort) return { kind: 'in-progress' }
    throw storeError(error, schema)
  }
}

/**
 * SQLSTATEs that cut the wait short: 57014 is `statement_timeout` or a cancel request, 25P04 is
 * `transaction_timeout`, which also ends the session.
 */
const CUT_SHORT = new Set(['57014', '25P04'])
