import type { Claim } from '@oncekey/core'
import type { SqlTransaction } from '../sql-client.ts'
import { storeError } from '../store-error.ts'
import { backstopOf } from './backstop.ts'
import { busy } from './busy.ts'
import type { ClaimKey } from './claim-key.ts'
import { keyedAttempt } from './keyed-attempt.ts'
import type { Place } from './places.ts'
import type { ClaimJson } from './statements/claim.ts'
import type { FoundJson, LeasedJson } from './statements/find-record.ts'
import type { Answer, StoreState } from './store-state.ts'
import { undo } from './undo.ts'

/**
 * Opens the transaction of an attempt, takes the key's lock in it and reads its record. Unless the
 * answer is `run` the transaction is over and the place is given back.
 */
export async function askDatabase<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  place: Place,
): Promise<Answer<Tx>> {
  const { acquireTimeoutMs: timeoutMs, client, isolation, statements } = store
  const backstopMs = backstopOf(client, claim.leaseMs)
  // A row that is not there is a conflict to SERIALIZABLE, with whoever inserts beside it: on a small
  // table, nine attempts of ten would fail. It has to be looked for outside.
  const readsRecord = isolation !== 'serializable'
  try {
    let found = readsRecord ? undefined : await findRecord(store, claim)
    if (found !== undefined && !isTakenOver(found, claim)) {
      place()
      return answerOf(found)
    }
    const first = statements.claim({ claim, lock: key.lock, backstopMs, readsRecord })
    const { rows, transaction } = await client.begin({ isolation, first, timeoutMs })
    let answer: ClaimJson = JSON.parse(rows[0]?.answer ?? '')
    if (answer.state === 'leased') found = answer
    const taken = found?.state === 'leased' && isTakenOver(found, claim) ? found : undefined
    if (taken !== undefined && answer.state !== 'in-progress') {
      answer = await replaceAttempt(store, claim, key, transaction, taken, backstopMs)
    }
    if (answer.state === 'run') {
      const started = { ...answer, number: (taken?.number ?? 0) + 1 }
      return { kind: 'run', decision: keyedAttempt(store, claim, key, place, transaction, started) }
    }
    // Nobody has to wait for this: nothing was written, and the record decides, not the lock.
    undo(store, transaction, undefined).finally(place)
    return answer.state === 'in-progress' ? { kind: 'in-progress' } : answerOf(answer)
  } catch (error) {
    place()
    throw storeError(error, store.schema)
  }
}

export function answerOf(found: FoundJson): Answer<never> {
  return found.state === 'finished'
    ? { kind: 'finished', record: found.record }
    : { kind: 'leased', leased: found }
}

/** Whether this claim runs the handler again, in the place of an attempt of lease mode. */
function isTakenOver(found: FoundJson, { fingerprints, whenUnknown }: Claim): boolean {
  if (found.state !== 'leased' || !found.lapsed || whenUnknown !== 'retake') return false
  return fingerprints.includes(found.fingerprint)
}

async function replaceAttempt<Tx>(
  { statements }: StoreState<Tx>,
  claim: Claim,
  { lock }: ClaimKey,
  transaction: SqlTransaction<Tx>,
  leased: LeasedJson,
  backstopMs: number,
): Promise<ClaimJson> {
  try {
    const statement = statements.replaceAttempt(claim, lock, leased.number, backstopMs)
    const [row] = await transaction.query(statement)
    return JSON.parse(row?.answer ?? '')
  } catch (error) {
    transaction.destroy(error as Error)
    throw error
  }
}

/** What is known of a key, in a snapshot of its own. */
export async function findRecord<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
): Promise<FoundJson | undefined> {
  const { client, acquireTimeoutMs, statements, readers, schema } = store
  const reader = await readers.take({ timeoutMs: acquireTimeoutMs })
  if (reader === undefined) throw busy(store.maxConcurrent, acquireTimeoutMs)
  try {
    const [row] = await client.query(statements.findRecord(claim), { timeoutMs: acquireTimeoutMs })
    return row?.answer == null ? undefined : JSON.parse(row.answer)
  } catch (error) {
    throw storeError(error, schema)
  } finally {
    reader()
  }
}
