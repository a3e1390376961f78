import type { Claim } from '@oncekey/core'
import type { SqlTransaction } from '../sql-client.ts'
import { sqlState } from '../sql-state.ts'
import { storeError } from '../store-error.ts'
import { backstopOf } from './backstop.ts'
import { busy } from './busy.ts'
import type { ClaimKey } from './claim-key.ts'
import { keyedAttempt, type WonKey } from './keyed-attempt.ts'
import { SERIALIZATION_FAILURE, whenSerialized } from './lease/when-serialized.ts'
import type { Place } from './places.ts'
import type { ClaimJson } from './statements/claim.ts'
import type { FoundJson, LeasedJson } from './statements/find-record.ts'
import type { StartedJson } from './statements/start-attempt.ts'
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
  // SERIALIZABLE takes a row that is not there for a conflict with whoever inserts one beside it: on a
  // small table nine attempts of ten would fail. So the record is only looked for outside.
  const readsRecord = isolation !== 'serializable' || client.concurrency === 'one'
  try {
    const first = statements.claim({ claim, lock: key.lock, backstopMs, readsRecord })
    const { rows, transaction } = await client.begin({ isolation, first, timeoutMs })
    const turn = { store, claim, key, transaction, backstopMs }
    const answer = await won(turn, JSON.parse(rows[0]?.answer ?? '')).catch(async (error) => {
      await undo(store, transaction, undefined)
      throw error
    })
    if (answer.state === 'run') {
      return { kind: 'run', decision: keyedAttempt(store, claim, key, place, transaction, answer) }
    }
    const undone = undo(store, transaction, undefined).finally(place)
    // A record decides by itself, and nobody has to wait for this. An attempt of lease mode does not:
    // who comes next, because of this answer, must not find the key's lock taken by who gave it.
    if (answer.state === 'leased') await undone
    return answer.state === 'in-progress' ? { kind: 'in-progress' } : answerOf(answer)
  } catch (error) {
    place()
    throw storeError(error, store.schema)
  }
}

/** A claim whose transaction is open. */
interface Turn<Tx> {
  readonly store: StoreState<Tx>
  readonly claim: Claim
  readonly key: ClaimKey
  readonly transaction: SqlTransaction<Tx>
  readonly backstopMs: number
}

/** What the claim's own transaction said, corrected by what it could not see. */
async function won<Tx>(
  turn: Turn<Tx>,
  said: ClaimJson,
): Promise<Exclude<ClaimJson, StartedJson> | WonKey> {
  const answer = await lookedAgain(turn, said)
  if (answer.state === 'leased' && isTakenOver(answer, turn.claim)) return replaced(turn, answer)
  return answer.state === 'run' ? { ...answer, number: 1, replaced: 0 } : answer
}

/**
 * Above READ COMMITTED a transaction reads in the snapshot that it had before the lock was asked for,
 * and who had the lock until then may have finished in between. So with the lock in hand the record is
 * looked for once more, in a snapshot of its own.
 */
async function lookedAgain<Tx>({ store, claim }: Turn<Tx>, answer: ClaimJson): Promise<ClaimJson> {
  const { client, isolation } = store
  if (isolation === 'read committed' || client.concurrency === 'one') return answer
  // Without the lock it is at most a moment old, unless the record was not looked for at all.
  const isOpen =
    answer.state === 'run' || (answer.state === 'in-progress' && isolation === 'serializable')
  return (isOpen ? await findRecord(store, claim) : undefined) ?? answer
}

/** An attempt of lease mode whose outcome is unknown makes room for this one. */
async function replaced<Tx>(
  { store, claim, key, transaction, backstopMs }: Turn<Tx>,
  { number }: LeasedJson,
): Promise<{ state: 'in-progress' } | WonKey> {
  try {
    const statement = store.statements.replaceAttempt(claim, key.lock, number, backstopMs)
    const [row] = await transaction.query(statement)
    const started: ReplaceJson = JSON.parse(row?.answer ?? '')
    return started.state === 'run'
      ? { ...started, number: number + 1, replaced: number }
      : { state: 'in-progress' }
  } catch (error) {
    // Above READ COMMITTED this is how it is said that the row has changed since the snapshot.
    if (sqlState(error) === SERIALIZATION_FAILURE) return { state: 'in-progress' }
    throw error
  }
}

type ReplaceJson = StartedJson | { readonly state: 'in-progress' }

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

/** What is known of a key, in a snapshot of its own. */
export async function findRecord<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
): Promise<FoundJson | undefined> {
  const { client, acquireTimeoutMs, statements, readers, schema } = store
  const reader = await readers.take({ timeoutMs: acquireTimeoutMs })
  if (reader === undefined) throw busy(store.maxConcurrent, acquireTimeoutMs)
  try {
    const options = { timeoutMs: acquireTimeoutMs }
    const [row] = await whenSerialized(() => client.query(statements.findRecord(claim), options))
    return row?.answer == null ? undefined : JSON.parse(row.answer)
  } catch (error) {
    throw storeError(error, schema)
  } finally {
    reader()
  }
}
