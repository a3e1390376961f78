import type { OutboxEvent } from '../contracts/events/event.ts'
import type { KeyName } from '../contracts/keys.ts'
import type { Attempt, Claim, Decision, Store } from '../contracts/store.ts'
import { OptionsError } from '../errors/errors.ts'
import { callLater } from '../time/durations.ts'
import { memoryKeys } from './memory-keys.ts'
import { type MemoryOutbox, memoryOutbox } from './memory-outbox.ts'
import {
  keptResponse,
  memoryRecords,
  type RunningRecord,
  storedResponse,
} from './memory-records.ts'
import { type MemoryStoreOptions, resolveMemoryOptions } from './memory-store-options.ts'
import { type MemoryTrail, memoryTrail } from './memory-trail.ts'
import {
  type MemoryTransaction,
  type StagedTransaction,
  stagedTransaction,
  transactionOver,
} from './memory-transaction.ts'

export type { MemoryTransaction } from './memory-transaction.ts'

/** A {@link Store} in the memory of one process, with its contents for inspection. */
export interface MemoryStore extends Store<MemoryTransaction> {
  /** The values that the handlers' transactions committed. */
  readonly data: ReadonlyMap<string, unknown>
  /** The committed events, in order of completion: at least the last 100,000. */
  readonly events: readonly OutboxEvent[]
}

/**
 * A store for tests, examples and applications of one process. It keeps the whole contract and
 * needs no setup. It is bounded, starts no timer of its own and disappears with the process. Throws
 * {@link OptionsError}.
 *
 * @example
 * ```ts
 * const store = memoryStore()
 * const once = idempotency({ store, scope: (req) => req.user.id })
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const resolved = resolveMemoryOptions(options)
  const { mode, now } = resolved
  const records = memoryRecords(resolved)
  const data = new Map<string, unknown>()
  const outbox = memoryOutbox()
  const trail = memoryTrail()

  const store: MemoryStore = {
    capabilities: { name: 'memory', mode, transactions: true, concurrency: 'many' },
    data,
    events: outbox.events,

    async begin(claim) {
      const id = recordId(claim)
      let decision = decide(id, claim)
      if (decision.kind !== 'in-progress' || claim.waitMs <= 0) return decision
      const waitUntil = performance.now() + claim.waitMs
      for (;;) {
        const record = records.at(id, now())
        const waitLeftMs = waitUntil - performance.now()
        if (record?.state !== 'running' || waitLeftMs <= 0 || claim.signal.aborted) return decision
        const leaseLeftMs = Math.max(1, record.leaseUntil - now())
        await endOf(record, Math.min(waitLeftMs, leaseLeftMs), claim.signal)
        // A caller that is gone would never run the handler, so it must not win the key.
        if (claim.signal.aborted) return decision
        decision = decide(id, claim)
        if (decision.kind !== 'in-progress') return decision
      }
    },

    async open() {
      return attemptOn(undefined, 1)
    },

    keys: memoryKeys({
      now,
      trail,
      find: (key) => records.at(recordId(key), now()),
      *all() {
        for (const record of records.all(now())) yield [nameOf(record.id), record] as const
      },
      free,
      finish(record, response) {
        records.finish(record, response.status, keptResponse(response), now())
        wake(record)
      },
      forget: records.forget,
    }),
    operations: trail.operations,
  }
  insides.set(store, { data, outbox, trail })
  return store

  /** Atomic because it never awaits. */
  function decide(id: string, claim: Claim): Decision<MemoryTransaction> {
    const time = now()
    const record = records.at(id, time)
    if (record === undefined) return run(id, claim, time)
    if (!claim.fingerprints.includes(record.fingerprint)) return { kind: 'mismatch' }
    if (record.state === 'finished') {
      const { response, fingerprint } = record
      if (response === null) return { kind: 'result-gone' }
      return { kind: 'replay', response: storedResponse(response), fingerprint }
    }
    if (record.attempt !== undefined && record.token === claim.token) {
      record.leaseUntil = leaseEnd(claim.leaseMs, time)
      return { kind: 'run', attempt: record.attempt }
    }
    const leaseLeftMs = record.leaseUntil - time
    if (leaseLeftMs > 0) return { kind: 'in-progress', retryAfterMs: Math.min(leaseLeftMs, 1000) }
    const { retakes = record.token } = claim
    if (claim.whenUnknown === 'hold' || retakes !== record.token) {
      return { kind: 'unknown', attempt: record.token, since: new Date(record.leaseUntil) }
    }
    return run(id, claim, time, record)
  }

  /** Replaces the record, which fences the previous attempt off. */
  function run(
    id: string,
    claim: Claim,
    time: number,
    predecessor?: RunningRecord,
  ): Decision<MemoryTransaction> {
    const record: RunningRecord = {
      state: 'running',
      id,
      fingerprint: predecessor?.fingerprint ?? claim.fingerprints[0],
      number: (predecessor?.number ?? 0) + 1,
      claimedAt: predecessor?.claimedAt ?? time,
      token: claim.token,
      leaseUntil: leaseEnd(claim.leaseMs, time),
      attempt: undefined,
      waiting: predecessor?.waiting,
    }
    records.run(record, time)
    const attempt = attemptOn(record, record.number)
    record.attempt = attempt
    return { kind: 'run', attempt }
  }

  function attemptOn(
    record: RunningRecord | undefined,
    number: number,
  ): Attempt<MemoryTransaction> {
    let ended: 'stored' | 'undone' | undefined
    let staged: StagedTransaction | undefined
    const owns = (): boolean =>
      ended === undefined && (record === undefined || records.holds(record))

    return {
      number,
      askedAt: performance.now(),

      async transaction() {
        if (!owns()) throw transactionOver()
        staged ??= stagedTransaction(data, owns)
        return staged.transaction
      },

      async complete(completion) {
        // A completion sent again after a lost reply: the response is stored already and stays as
        // it is.
        if (!owns()) return ended === 'stored' ? 'stored' : 'superseded'
        const response = keptResponse(completion.response)
        if (completion.writes === 'keep') {
          staged?.commitTo(data)
          outbox.append(completion.events)
        }
        ended = 'stored'
        if (record !== undefined) {
          records.finish(record, completion.response.status, response, now())
          wake(record)
        }
        return 'stored'
      },

      async release() {
        if (record !== undefined && owns()) free(record)
        ended ??= 'undone'
      },

      async abandon() {
        if (record !== undefined && owns()) {
          if (mode === 'transaction') free(record)
          else lapse(record)
        }
        ended ??= 'undone'
      },

      async renew(leaseMs) {
        if (!owns()) return 'stale'
        if (record !== undefined) record.leaseUntil = leaseEnd(leaseMs, now())
        return 'held'
      },
    }
  }

  function free(record: RunningRecord): void {
    records.forget(record)
    wake(record)
  }

  function lapse(record: RunningRecord): void {
    record.leaseUntil = now()
    record.attempt = undefined
    wake(record)
  }

  function leaseEnd(leaseMs: number, time: number): number {
    return mode === 'lease' ? time + leaseMs : Number.POSITIVE_INFINITY
  }
}

/** The store's internals, for the log that reads its events and commits with it. */
export interface MemoryInsides {
  readonly data: Map<string, unknown>
  readonly outbox: MemoryOutbox
  readonly trail: MemoryTrail
}

const insides = new WeakMap<MemoryStore, MemoryInsides>()

export function insidesOf(store: MemoryStore): MemoryInsides | undefined {
  return insides.get(store)
}

/**
 * The id of a record. The lengths keep ('ab', 'c') and ('a', 'bc') apart. Built with `join`,
 * because V8 keeps every part of a concatenated string alive for as long as the string, which is
 * 430 bytes for a random UUID.
 */
function recordId({ namespace, scope, key }: KeyName): string {
  return [namespace.length, scope.length, namespace, scope, key].join(':')
}

/** The name that {@link recordId} was made of. */
function nameOf(id: string): KeyName {
  const [lengths = '', namespaceLength = '', scopeLength = ''] = /^(\d+):(\d+):/.exec(id) ?? []
  const scopeStart = lengths.length + Number(namespaceLength) + 1
  const keyStart = scopeStart + Number(scopeLength) + 1
  return {
    namespace: id.slice(lengths.length, scopeStart - 1),
    scope: id.slice(scopeStart, keyStart - 1),
    key: id.slice(keyStart),
  }
}

/**
 * Resolves when the attempt ends, the time is up or the caller is gone, and removes its timer and
 * listeners.
 */
function endOf(record: RunningRecord, withinMs: number, signal: AbortSignal): Promise<void> {
  record.waiting ??= new Set()
  const { waiting } = record
  return new Promise((resolve) => {
    const wakeUp = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', wakeUp)
      waiting.delete(wakeUp)
      resolve()
    }
    const timer = callLater(wakeUp, withinMs)
    signal.addEventListener('abort', wakeUp)
    waiting.add(wakeUp)
  })
}

function wake({ waiting }: RunningRecord): void {
  if (waiting === undefined) return
  for (const wakeUp of waiting) wakeUp()
}
