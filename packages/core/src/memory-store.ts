import { OptionsError } from './errors.ts'
import type { OutboxEvent } from './event.ts'
import { type MemoryOutbox, memoryOutbox } from './memory-outbox.ts'
import {
  keptResponse,
  memoryRecords,
  type RunningRecord,
  storedResponse,
} from './memory-records.ts'
import {
  type MemoryTransaction,
  type StagedTransaction,
  stagedTransaction,
  transactionOver,
} from './memory-transaction.ts'
import type { Attempt, Claim, Decision, Store } from './store.ts'

export type { MemoryTransaction } from './memory-transaction.ts'

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /**
   * How an attempt owns its key: `transaction` until it ends, `lease` for a time, as a store with no
   * transaction around the handler does.
   * @default 'transaction'
   */
  readonly mode?: 'transaction' | 'lease'
  /** Keys remembered at once; a full store throws `store-busy` and evicts nothing. @default 100_000 */
  readonly maxRecords?: number
  /** How long a response is replayed; after it `result-gone`. Milliseconds. @default 86_400_000 (24 h) */
  readonly resultRetentionMs?: number
  /** How long a key is remembered once its attempt ended. Milliseconds. @default 604_800_000 (7 d) */
  readonly keyRetentionMs?: number
  /** The store's clock, milliseconds since 1970. @default one that no step of the wall clock moves */
  readonly now?: () => number
}

/** A {@link Store} in the memory of one process, and what it holds, to look at. */
export interface MemoryStore extends Store<MemoryTransaction> {
  /** What the handlers' transactions committed. */
  readonly data: ReadonlyMap<string, unknown>
  /** The events committed, in order of completion: at least the last 100,000 of them. */
  readonly events: readonly OutboxEvent[]
}

/**
 * A store for tests, for examples and for applications of one process: the whole contract, nothing
 * to set up. It is bounded, starts no timer of its own and is forgotten with the process.
 * Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * const store = memoryStore()
 * const once = idempotency({ store, scope: (req) => req.user.id })
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const resolved = resolveOptions(options)
  const { mode, now } = resolved
  const records = memoryRecords(resolved)
  const data = new Map<string, unknown>()
  const outbox = memoryOutbox()

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
        // Nobody would run the handler of a caller who is gone, so it must not win the key.
        if (claim.signal.aborted) return decision
        decision = decide(id, claim)
        if (decision.kind !== 'in-progress') return decision
      }
    },

    async open() {
      return attemptOn(undefined, 1)
    },
  }
  insides.set(store, { data, outbox })
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
    if (claim.whenUnknown === 'hold') return { kind: 'unknown', since: new Date(record.leaseUntil) }
    return run(id, claim, time, record)
  }

  /** The new record takes the key, and that is what fences a predecessor off. */
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

      async transaction() {
        if (!owns()) throw transactionOver()
        staged ??= stagedTransaction(data, owns)
        return staged.transaction
      },

      async complete(completion) {
        // Sent again after a lost reply: it is stored, and stays as it is.
        if (!owns()) return ended === 'stored' ? 'stored' : 'superseded'
        const response = keptResponse(completion.response)
        if (completion.writes === 'keep') {
          staged?.commitTo(data)
          outbox.append(completion.events)
        }
        ended = 'stored'
        if (record !== undefined) {
          records.finish(record, response, now())
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

/** For the log that reads what a store has committed, and commits with it. */
export interface MemoryInsides {
  readonly data: Map<string, unknown>
  readonly outbox: MemoryOutbox
}

const insides = new WeakMap<MemoryStore, MemoryInsides>()

export function insidesOf(store: MemoryStore): MemoryInsides | undefined {
  return insides.get(store)
}

/**
 * The lengths keep ('ab', 'c') and ('a', 'bc') apart. Joined, not added up: V8 would keep every part
 * of a sum for as long as the sum, 430 bytes for a random UUID.
 */
function recordId({ namespace, scope, key }: Claim): string {
  return [namespace.length, scope.length, namespace, scope, key].join(':')
}

/** Resolves when the attempt ends, the time is up or the caller is gone; leaves nothing behind. */
function endOf(record: RunningRecord, withinMs: number, signal: AbortSignal): Promise<void> {
  record.waiting ??= new Set()
  const { waiting } = record
  return new Promise((resolve) => {
    const wakeUp = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wakeUp)
      waiting.delete(wakeUp)
      resolve()
    }
    const timer = setTimeout(wakeUp, Math.min(withinMs, LONGEST_TIMEOUT_MS))
    signal.addEventListener('abort', wakeUp)
    waiting.add(wakeUp)
  })
}

/** Beyond it `setTimeout` fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

function wake({ waiting }: RunningRecord): void {
  if (waiting === undefined) return
  for (const wakeUp of waiting) wakeUp()
}

function resolveOptions(options: MemoryStoreOptions): Required<MemoryStoreOptions> {
  const resolved = {
    mode: options.mode ?? 'transaction',
    maxRecords: options.maxRecords ?? 100_000,
    resultRetentionMs: options.resultRetentionMs ?? 24 * 60 * 60 * 1000,
    keyRetentionMs: options.keyRetentionMs ?? 7 * 24 * 60 * 60 * 1000,
    now: options.now ?? (() => performance.timeOrigin + performance.now()),
  }
  if (resolved.mode !== 'transaction' && resolved.mode !== 'lease') {
    throw new OptionsError(
      `memoryStore(): \`mode\` is "transaction" or "lease", not ${JSON.stringify(resolved.mode)}.`,
    )
  }
  if (!Number.isSafeInteger(resolved.maxRecords) || resolved.maxRecords < 1) {
    throw new OptionsError('memoryStore(): `maxRecords` must be a whole number, at least 1.')
  }
  for (const name of ['resultRetentionMs', 'keyRetentionMs'] as const) {
    if (!(Number.isFinite(resolved[name]) && resolved[name] > 0)) {
      throw new OptionsError(`memoryStore(): \`${name}\` must be a number of milliseconds over 0.`)
    }
  }
  if (resolved.keyRetentionMs < resolved.resultRetentionMs) {
    throw new OptionsError(
      'memoryStore(): `keyRetentionMs` must not be shorter than `resultRetentionMs`: once a key is forgotten, its handler would run again.',
    )
  }
  if (typeof resolved.now !== 'function') {
    throw new OptionsError('memoryStore(): `now` must be a function that returns milliseconds.')
  }
  return resolved
}
