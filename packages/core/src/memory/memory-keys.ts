import { type Act, checkedAct } from '../acts/act.ts'
import {
  type ActResult,
  checkKeyFilter,
  checkPageLimit,
  type KeyDetail,
  type KeyFilter,
  type KeyName,
  type KeyState,
  type KeySummary,
  type Keys,
  keyTarget,
} from '../contracts/keys.ts'
import { checkedAnswer, type StoredResponse } from '../contracts/stored-response.ts'
import { OptionsError } from '../errors/errors.ts'
import { type FinishedRecord, type RunningRecord, storedResponse } from './memory-records.ts'
import type { MemoryTrail } from './memory-trail.ts'

/** What the operator's view needs of a memory store. Nothing here awaits, so each act is atomic. */
export interface MemoryKeysOn {
  now(): number
  readonly trail: MemoryTrail
  find(key: KeyName): RunningRecord | FinishedRecord | undefined
  all(): Iterable<readonly [KeyName, RunningRecord | FinishedRecord]>
  /** Frees the key and wakes those who wait for it. */
  free(record: RunningRecord): void
  finish(record: RunningRecord, response: StoredResponse): void
  forget(record: FinishedRecord): void
}

/** The keys of a memory store, for operators. */
export function memoryKeys(on: MemoryKeysOn): Keys {
  return {
    lists: true,

    async get(key, { body = false } = {}) {
      const record = on.find(key)
      return record === undefined ? undefined : detailOf(key, record, on.now(), body)
    },

    async list(filter, { limit, after }) {
      checkKeyFilter(filter)
      checkPageLimit('keys.list', limit)
      const summaries = [...on.all()].map(([key, record]) => summaryOf(key, record, on.now()))
      const inOrder = filter.scope === undefined ? byTime : byName
      const meant = summaries.filter((summary) => isMeant(filter, summary)).sort(inOrder)
      const start = after === undefined ? 0 : indexBehind(meant, after, inOrder)
      const items = meant.slice(start, start + limit)
      const last = items.at(-1)
      const isCut = last !== undefined && start + limit < meant.length
      return { items, next: isCut ? tokenOf(last) : undefined }
    },

    async release(key, act) {
      return acted('keys.release', key, act, (record) =>
        endUnknown(record, () => on.free(record as RunningRecord)),
      )
    },

    async answer(key, given, act) {
      const response = checkedAnswer(given)
      return acted(
        'keys.answer',
        key,
        act,
        (record) => endUnknown(record, () => on.finish(record as RunningRecord, response)),
        { status: response.status },
      )
    },

    async forget({ fingerprint, ...key }, act) {
      return acted('keys.forget', key, act, (record) => {
        if (record.state === 'running') return stateOf(record, on.now())
        if (record.fingerprint !== fingerprint) return 'other-request'
        on.forget(record)
        return 'done'
      })
    },
  }

  function endUnknown(record: RunningRecord | FinishedRecord, end: () => void): ActResult {
    const state = stateOf(record, on.now())
    if (state !== 'unknown') return state
    end()
    return 'done'
  }

  function acted(
    verb: string,
    key: KeyName,
    act: Act,
    perform: (record: RunningRecord | FinishedRecord) => ActResult,
    detail: Readonly<Record<string, unknown>> = {},
  ): ActResult {
    const { actor, note } = checkedAct(verb, act)
    const record = on.find(key)
    if (record === undefined) return 'absent'
    const { fingerprint } = record
    const result = perform(record)
    if (result !== 'done') return result
    on.trail.add({
      atMs: on.now(),
      actor,
      act: verb,
      target: keyTarget(key),
      note,
      detail: { fingerprint, ...detail },
    })
    return result
  }
}

function stateOf(record: RunningRecord | FinishedRecord, time: number): KeyState {
  if (record.state === 'running') return record.leaseUntil > time ? 'running' : 'unknown'
  return record.response === null ? 'result-gone' : 'finished'
}

function summaryOf(
  { namespace, scope, key }: KeyName,
  record: RunningRecord | FinishedRecord,
  time: number,
): KeySummary {
  const isRunning = record.state === 'running'
  return {
    namespace,
    scope,
    key,
    state: stateOf(record, time),
    fingerprint: record.fingerprint,
    attempt:
      isRunning && Number.isFinite(record.leaseUntil)
        ? {
            number: record.number,
            claimedAt: new Date(record.claimedAt),
            leaseUntil: new Date(record.leaseUntil),
          }
        : null,
    status: isRunning ? null : record.status,
    completedAt: isRunning ? null : new Date(record.at),
  }
}

function detailOf(
  key: KeyName,
  record: RunningRecord | FinishedRecord,
  time: number,
  withBody: boolean,
): KeyDetail {
  const summary = summaryOf(key, record, time)
  if (record.state === 'running' || record.response === null) return { ...summary, response: null }
  const response = storedResponse(record.response)
  return {
    ...summary,
    response: {
      ...response,
      body: withBody ? response.body : null,
      bodyBytes: response.body?.length ?? 0,
    },
  }
}

function isMeant(filter: KeyFilter, summary: KeySummary): boolean {
  return (
    (filter.namespace === undefined || summary.namespace === filter.namespace) &&
    (filter.scope === undefined || summary.scope === filter.scope) &&
    summary.key.startsWith(filter.keyPrefix ?? '') &&
    (filter.state === undefined || summary.state === filter.state)
  )
}

type Order = (one: KeySummary, other: KeySummary) => number

const byName: Order = (one, other) => Buffer.compare(bytesOf(one), bytesOf(other))

/**
 * Orders running and unknown keys by their first claim, the oldest first, and then finished ones,
 * the newest first.
 */
const byTime: Order = (one, other) => {
  if (one.completedAt === null || other.completedAt === null) {
    const kinds = Number(one.completedAt !== null) - Number(other.completedAt !== null)
    return kinds || claimedAt(one) - claimedAt(other) || byName(one, other)
  }
  return Number(other.completedAt) - Number(one.completedAt) || byName(other, one)
}

const claimedAt = ({ attempt }: KeySummary) => Number(attempt?.claimedAt ?? 0)

const bytesOf = ({ namespace, scope, key }: KeySummary) =>
  Buffer.from([namespace, scope, key].join('\0'))

function tokenOf({ namespace, scope, key, completedAt, attempt }: KeySummary): string {
  const name = { namespace, scope, key, completedAt, attempt }
  return Buffer.from(JSON.stringify(name)).toString('base64url')
}

/**
 * The index of the first key behind the last key of the previous page, even if that key is gone.
 */
function indexBehind(summaries: readonly KeySummary[], token: string, order: Order): number {
  const last = keyOfToken(token)
  const index = summaries.findIndex((summary) => order(summary, last) > 0)
  return index < 0 ? summaries.length : index
}

function keyOfToken(token: string): KeySummary {
  try {
    const name = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (typeof name.key !== 'string') throw new TypeError('not a page token')
    const { completedAt, attempt } = name
    return {
      ...name,
      completedAt: completedAt === null ? null : new Date(completedAt),
      attempt: attempt === null ? null : { ...attempt, claimedAt: new Date(attempt.claimedAt) },
    }
  } catch {
    throw new OptionsError('keys.list: `after` must be the `next` of a page of the same list.')
  }
}
