import type { Claim } from '@oncekey/core'
import { markOf, type StartedJson } from '../../commit/attempt-mark.ts'
import { beginWithReply } from '../../commit/begin-with-reply.ts'
import { backstopOf } from '../../sql/backstop.ts'
import type { ClaimKey } from '../../sql/claim-key.ts'
import type { Permit } from '../../sql/concurrency-limit.ts'
import type { SqlTransaction } from '../../sql/sql-client.ts'
import { sqlState } from '../../sql/sql-state.ts'
import { storeError } from '../../sql/store-error.ts'
import { SERIALIZATION_FAILURE, whenSerialized } from '../../sql/when-serialized.ts'
import { busy } from '../attempt/busy.ts'
import type { DatabaseReply, StoreState } from '../attempt/store-state.ts'
import { undo } from '../attempt/undo.ts'
import type { ClaimJson, FoundJson, LeasedJson } from '../statements/records.ts'
import { keyedAttempt, type WonKey } from './keyed-attempt.ts'

/**
 * Opens the transaction of an attempt, takes the key's lock in it and reads the key's record. If
 * the reply is not `run`, the transaction is rolled back and the permit returned.
 */
export async function askDatabase<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  permit: Permit,
): Promise<DatabaseReply<Tx>> {
  const { acquireTimeoutMs: timeoutMs, client, isolation, statements } = store
  const backstopMs = backstopOf(client, claim.leaseMs)
  // At SERIALIZABLE, looking for a row that does not exist conflicts with every insert beside it:
  // on a small table nine attempts of ten would fail. So at that level the record is read outside
  // the transaction.
  const readsRecord = isolation !== 'serializable' || client.concurrency === 'one'
  try {
    const mark = markOf(client, claim.token)
    const first = statements.claim({ claim, lock: key.lock, mark, backstopMs, readsRecord })
    const options = { isolation, first, timeoutMs }
    const { reply: said, transaction } = await beginWithReply<ClaimJson, Tx>(client, options)
    const turn = { store, claim, key, transaction, backstopMs }
    const reply = await won(turn, said).catch(async (error) => {
      await undo(store, transaction, undefined)
      throw error
    })
    if (reply.state === 'run') {
      return { kind: 'run', decision: keyedAttempt(store, claim, key, permit, transaction, reply) }
    }
    const undone = undo(store, transaction, undefined).finally(permit)
    // A finished record does not change, so the reply with it does not wait for the rollback. After
    // `leased` the caller claims again at once, and must not find the key's lock still held by this
    // transaction.
    if (reply.state === 'leased') await undone
    return reply.state === 'in-progress' ? { kind: 'in-progress' } : replyOf(reply)
  } catch (error) {
    permit()
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

/**
 * The reply of the claim's own transaction, corrected by what the transaction's snapshot did not
 * show.
 */
async function won<Tx>(
  turn: Turn<Tx>,
  said: ClaimJson,
): Promise<Exclude<ClaimJson, StartedJson> | WonKey> {
  const reply = isLatest(turn) ? said : await lookedAgain(turn, said)
  if (reply.state === 'leased' && isTakenOver(reply, turn.claim)) return replaced(turn, reply)
  return reply.state === 'run' ? { ...reply, number: 1, replaced: null } : reply
}

/** Whether the claim has read the record in a snapshot that is newer than its lock. */
function isLatest<Tx>({ store: { client, isolation } }: Turn<Tx>): boolean {
  return isolation === 'read committed' || client.concurrency === 'one'
}

/**
 * Above READ COMMITTED a transaction reads in a snapshot that is older than its lock on the key,
 * and the previous holder of the lock may have finished in between, or have renewed its lease. So
 * once the lock is held, the record is read again, in a new snapshot outside the transaction.
 */
async function lookedAgain<Tx>({ store, claim }: Turn<Tx>, reply: ClaimJson): Promise<ClaimJson> {
  const { isolation } = store
  if (reply.state === 'leased') {
    return isTakenOver(reply, claim) ? ((await findRecord(store, claim)) ?? reply) : reply
  }
  // A claim that did not get the lock needs no second look: its reply is a moment old at most. The
  // exception is a claim that did not read the record at all.
  const isOpen =
    reply.state === 'run' || (reply.state === 'in-progress' && isolation === 'serializable')
  return (isOpen ? await findRecord(store, claim) : undefined) ?? reply
}

/** Takes the key over from an attempt of lease mode whose outcome is unknown. */
async function replaced<Tx>(
  { store, claim, key, transaction, backstopMs }: Turn<Tx>,
  { attempt, number }: LeasedJson,
): Promise<{ state: 'in-progress' } | WonKey> {
  try {
    const statement = store.statements.replaceAttempt(claim, key.lock, attempt, backstopMs)
    const [row] = await transaction.query(statement)
    const started: ReplaceJson = JSON.parse(row?.reply ?? '')
    return started.state === 'run'
      ? { ...started, number: number + 1, replaced: attempt }
      : { state: 'in-progress' }
  } catch (error) {
    if (TAKEN.has(sqlState(error) ?? '')) return { state: 'in-progress' }
    throw error
  }
}

/**
 * Above READ COMMITTED the row has changed since the snapshot; or somebody is just ending the
 * attempt, or giving it back, and has the row locked (55P03).
 */
const TAKEN = new Set([SERIALIZATION_FAILURE, '55P03'])

type ReplaceJson = StartedJson | { readonly state: 'in-progress' }

export function replyOf(found: FoundJson): DatabaseReply<never> {
  return found.state === 'finished'
    ? { kind: 'finished', record: found.record }
    : { kind: 'leased', leased: found }
}

/**
 * Whether this claim runs the handler again, in the place of an attempt of lease mode whose outcome
 * is unknown.
 */
function isTakenOver(found: FoundJson, claim: Claim): boolean {
  if (found.state !== 'leased' || !found.lapsed || !isRetakenBy(claim, found)) return false
  return claim.fingerprints.includes(found.fingerprint)
}

/** Whether the claim takes over this attempt of lease mode once its outcome is unknown. */
export function isRetakenBy({ whenUnknown, retakes }: Claim, found: LeasedJson): boolean {
  return whenUnknown === 'retake' && (retakes === undefined || retakes === found.attempt)
}

/** Reads what is known of a key, in a snapshot of its own. */
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
    return row?.reply == null ? undefined : JSON.parse(row.reply)
  } catch (error) {
    throw storeError(error, schema)
  } finally {
    reader()
  }
}
