import type { Fingerprint } from '../contracts/fingerprint.ts'
import type { Attempt } from '../contracts/store.ts'
import type { HeaderChange, StoredResponse } from '../contracts/stored-response.ts'
import { OncekeyError } from '../errors/errors.ts'
import type { MemoryTransaction } from './memory-transaction.ts'

/** A key whose attempt has not reported its outcome. */
export interface RunningRecord {
  readonly state: 'running'
  readonly id: string
  readonly fingerprint: Fingerprint
  readonly number: number
  /** When the first attempt claimed the key. */
  readonly claimedAt: number
  readonly token: string
  /** When the lease ends, after which the outcome is unknown. Infinity in transaction mode. */
  leaseUntil: number
  /** `undefined` once the attempt is abandoned. */
  attempt: Attempt<MemoryTransaction> | undefined
  /** Called when the attempt ends. */
  waiting: Set<() => void> | undefined
}

/** A key whose attempt completed. */
export interface FinishedRecord {
  readonly state: 'finished'
  readonly id: string
  readonly fingerprint: Fingerprint
  readonly at: number
  readonly status: number
  /** `null` once the response has expired, or if it was never kept. */
  response: KeptResponse | null
}

/**
 * A compact copy of a response that nobody can change: the headers in one array, name and value in
 * turn, and the body as Latin-1, which has a character for each byte.
 */
export interface KeptResponse {
  readonly status: number
  readonly headers: readonly (string | null)[]
  /**
   * The indexes of `added` header lines, which go beside others of their name; absent if there are
   * none.
   */
  readonly added: ReadonlySet<number> | undefined
  readonly body: string
  readonly seal: string | null
}

/** The records of the memory store: one for each key, never more than `maxRecords`. */
export interface MemoryRecords {
  /** Returns the record as it is at `time`; `undefined` after its retention. */
  at(id: string, time: number): RunningRecord | FinishedRecord | undefined
  /** Whether this is still the record of its key; `false` once another has replaced it. */
  holds(record: RunningRecord): boolean
  /**
   * Sets the record of a key, replacing an older one. Throws `store-busy` if there is no room and
   * no record can be dropped.
   */
  run(record: RunningRecord, time: number): void
  finish(record: RunningRecord, status: number, response: KeptResponse | null, time: number): void
  forget(record: RunningRecord | FinishedRecord): void
  /** Returns all records as they are at `time`. */
  all(time: number): Iterable<RunningRecord | FinishedRecord>
}

/**
 * Keeps each record for its retention. There is no timer: each look-up purges a few expired
 * records.
 */
export function memoryRecords(limits: {
  readonly maxRecords: number
  readonly resultRetentionMs: number
  readonly keyRetentionMs: number
}): MemoryRecords {
  const { maxRecords, resultRetentionMs, keyRetentionMs } = limits
  const records = new Map<string, RunningRecord | FinishedRecord>()

  // In order of completion, which is also the order of expiry: purging moves two cursors over it.
  const finished: (FinishedRecord | undefined)[] = []
  let responsesDropped = 0
  let keysForgotten = 0
  let nextSweepAt = 0

  return {
    at(id, time) {
      purge(time)
      const record = records.get(id)
      if (record === undefined) return undefined
      if (isExpired(record, time)) {
        records.delete(id)
        return undefined
      }
      if (record.state === 'finished' && isResultExpired(record, time)) record.response = null
      return record
    },

    holds: (record) => records.get(record.id) === record,

    run(record, time) {
      if (records.size >= maxRecords && !records.has(record.id)) makeRoom(time)
      records.set(record.id, record)
    },

    finish({ id, fingerprint }, status, response, time) {
      const record: FinishedRecord = {
        state: 'finished',
        id,
        fingerprint,
        at: time,
        status,
        response,
      }
      records.set(id, record)
      finished.push(record)
    },

    forget(record) {
      records.delete(record.id)
    },

    *all(time) {
      for (const record of records.values()) {
        if (isExpired(record, time)) continue
        if (record.state === 'finished' && isResultExpired(record, time)) record.response = null
        yield record
      }
    },
  }

  function isExpired(record: RunningRecord | FinishedRecord, time: number): boolean {
    const endedAt = record.state === 'finished' ? record.at : record.leaseUntil
    return endedAt + keyRetentionMs <= time
  }

  function isResultExpired(record: FinishedRecord, time: number): boolean {
    return record.at + resultRetentionMs <= time
  }

  function purge(time: number): void {
    for (let left = PURGED_AT_ONCE; left > 0; left -= 1) {
      const oldest = finished[keysForgotten]
      if (oldest === undefined || !isExpired(oldest, time)) break
      if (records.get(oldest.id) === oldest) records.delete(oldest.id)
      finished[keysForgotten] = undefined
      keysForgotten += 1
    }
    if (responsesDropped < keysForgotten) responsesDropped = keysForgotten
    for (let left = PURGED_AT_ONCE; left > 0; left -= 1) {
      const oldest = finished[responsesDropped]
      if (oldest === undefined || !isResultExpired(oldest, time)) break
      oldest.response = null
      responsesDropped += 1
    }
    if (keysForgotten > 1000 && keysForgotten > finished.length / 2) {
      finished.splice(0, keysForgotten)
      responsesDropped -= keysForgotten
      keysForgotten = 0
    }
  }

  /**
   * Drops records that are past their retention. The purge misses those whose lease ran out and
   * whose key was not claimed again. Runs only when the store is full, and at most once a second.
   */
  function makeRoom(time: number): void {
    if (time >= nextSweepAt) {
      nextSweepAt = time + 1000
      for (const record of records.values()) {
        if (isExpired(record, time)) records.delete(record.id)
      }
    }
    if (records.size < maxRecords) return
    throw new OncekeyError(
      'store-busy',
      `The memory store is full: it remembers ${maxRecords} keys and evicts none before its time. Raise \`maxRecords\` or shorten \`keyRetentionMs\`.`,
    )
  }
}

/**
 * More than the one record that a claim adds, so that purging keeps up; few enough to cause no
 * pause.
 */
const PURGED_AT_ONCE = 4

/** The kept form of a response; `null` where there is no body to replay. */
export function keptResponse({ status, headers, body, seal }: StoredResponse): KeptResponse | null {
  if (body === null) return null
  const flat = new Array<string | null>(headers.length * 2)
  let added: Set<number> | undefined
  // Not `for … of headers.entries()`, which makes an iterator and a pair for each line.
  for (let index = 0; index < headers.length; index += 1) {
    const line = headers[index] as HeaderChange
    flat[index * 2] = line[0]
    flat[index * 2 + 1] = line[1]
    if (line[2] === 'added') added = (added ?? new Set()).add(index)
  }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return { status, headers: flat, added, body: bytes.toString('latin1'), seal }
}

/** The response, byte for byte. */
export function storedResponse(kept: KeptResponse): StoredResponse {
  const { status, headers, added, body, seal } = kept
  const changes: HeaderChange[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? null
    changes.push(added?.has(index / 2) ? [name, value, 'added'] : [name, value])
  }
  return { status, headers: changes, body: Buffer.from(body, 'latin1'), seal }
}
