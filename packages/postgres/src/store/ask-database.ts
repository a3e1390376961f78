import type { Claim } from '@oncekey/core'
import { storeError } from '../store-error.ts'
import { backstopOf } from './backstop.ts'
import { busy } from './busy.ts'
import type { ClaimKey } from './claim-key.ts'
import { keyedAttempt } from './keyed-attempt.ts'
import type { Place } from './places.ts'
import type { ClaimJson } from './statements/claim.ts'
import type { RecordJson } from './statements/find-record.ts'
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
    const record = readsRecord ? undefined : await findRecord(store, claim)
    if (record !== undefined) {
      place()
      return { kind: 'finished', record }
    }
    const first = statements.claim({ claim, lock: key.lock, backstopMs, readsRecord })
    const { rows, transaction } = await client.begin({ isolation, first, timeoutMs })
    const answer: ClaimJson = JSON.parse(rows[0]?.answer ?? '')
    if (answer.state === 'run') {
      return { kind: 'run', decision: keyedAttempt(store, claim, key, place, transaction, answer) }
    }
    // Nobody has to wait for this: nothing was written, and the record decides, not the lock.
    undo(store, transaction, undefined).finally(place)
    if (answer.state === 'in-progress') return { kind: 'in-progress' }
    return { kind: 'finished', record: answer.record }
  } catch (error) {
    place()
    throw storeError(error, store.schema)
  }
}

/** The record of a key, in a snapshot of its own. */
export async function findRecord<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
): Promise<RecordJson | undefined> {
  const { client, acquireTimeoutMs, statements, readers, schema } = store
  const reader = await readers.take({ timeoutMs: acquireTimeoutMs })
  if (reader === undefined) throw busy(store.maxConcurrent, acquireTimeoutMs)
  try {
    const [row] = await client.query(statements.findRecord(claim), { timeoutMs: acquireTimeoutMs })
    return row?.record == null ? undefined : JSON.parse(row.record)
  } catch (error) {
    throw storeError(error, schema)
  } finally {
    reader()
  }
}
