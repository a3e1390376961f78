import { EventEmitter } from 'node:events'
import { type Attempt, type Claim, type Decision, OncekeyError, type Store } from '@oncekey/core'
import { idOf, myKeys, type Row } from './my-keys.ts'

/**
 * A store as a third party would write it: a Map, in lease mode, without transactions.
 *
 * It has no log, so what a handler emits is lost, although `complete` says `stored`. No capability
 * tells an app or the suite of that (events are tested only where a fixture has `events`), so a
 * store like this one says it here and in its README.
 */
export function myStore(): Store<never> {
  const records = new Map<string, Row>()
  const ends = new EventEmitter().setMaxListeners(0)

  return {
    capabilities: { name: 'mine', mode: 'lease', transactions: false, concurrency: 'many' },

    async begin(claim) {
      const id = idOf(claim)
      const until = performance.now() + claim.waitMs
      for (;;) {
        const decision = decide(id, claim)
        const leftMs = until - performance.now()
        if (decision.kind !== 'in-progress' || leftMs <= 0 || claim.signal.aborted) return decision
        const { leaseUntil = 0 } = records.get(id) ?? {}
        await endOf(id, Math.min(leftMs, Math.max(1, leaseUntil - Date.now())), claim.signal)
        // A claim whose client is gone must not win the key.
        if (claim.signal.aborted) return decision
      }
    },

    open: async () => attemptOn('', undefined, 1),

    ...myKeys(records, (id) => ends.emit(id)),
  }

  function decide(id: string, claim: Claim): Decision<never> {
    const row = records.get(id)
    if (row === undefined) return run(id, claim, claim.fingerprints[0], 1)
    if (!claim.fingerprints.includes(row.fingerprint)) return { kind: 'mismatch' }
    if (row.response !== undefined) {
      const { response, fingerprint } = row
      if (response.body === null) return { kind: 'result-gone' }
      return { kind: 'replay', response: structuredClone(response), fingerprint }
    }
    if (row.token === claim.token) {
      return { kind: 'run', attempt: attemptOn(id, row.token, row.number) }
    }
    const leftMs = row.leaseUntil - Date.now()
    if (leftMs > 0) return { kind: 'in-progress', retryAfterMs: Math.min(leftMs, 1000) }
    const attempt = `${row.number}.${row.claimedAt}`
    if (claim.whenUnknown === 'hold' || (claim.retakes ?? attempt) !== attempt) {
      return { kind: 'unknown', attempt, since: new Date(row.leaseUntil) }
    }
    return run(id, claim, row.fingerprint, row.number + 1)
  }

  function run(id: string, claim: Claim, fingerprint: string, number: number): Decision<never> {
    const { token, leaseMs } = claim
    const leaseUntil = Date.now() + leaseMs
    records.set(id, {
      fingerprint,
      token,
      number,
      claimedAt: records.get(id)?.claimedAt ?? Date.now(),
      leaseUntil,
      completedAt: 0,
      response: undefined,
    })
    return { kind: 'run', attempt: attemptOn(id, token, number) }
  }

  /** For a request without a key: no token, and so no record. */
  function attemptOn(id: string, token: string | undefined, number: number): Attempt<never> {
    let hasEnded = false
    const own = (): Row | undefined => {
      const row = records.get(id)
      return row?.response === undefined && row?.token === token ? row : undefined
    }
    const end = (work: (row: Row) => void): void => {
      const row = own()
      if (row !== undefined) work(row)
      hasEnded = true
      ends.emit(id)
    }

    return {
      number,
      askedAt: performance.now(),
      async transaction() {
        throw new OncekeyError('transaction-unsupported', 'A Map has no transactions.')
      },
      /** Takes no notice of `events`: see above. */
      async complete({ response }) {
        if (token === undefined) return 'stored'
        const row = records.get(id)
        if (row?.token === token && row.response !== undefined) return 'stored'
        if (own() === undefined) return 'superseded'
        end((mine) => {
          mine.response = structuredClone(response)
          mine.completedAt = Date.now()
        })
        return 'stored'
      },
      release: async () => end(() => records.delete(id)),
      abandon: async () =>
        end((row) => {
          row.leaseUntil = Date.now()
          row.token = ''
        }),
      async renew(leaseMs) {
        const row = own()
        if (row !== undefined) row.leaseUntil = Date.now() + leaseMs
        return row === undefined && (token !== undefined || hasEnded) ? 'stale' : 'held'
      },
    }
  }

  function endOf(id: string, withinMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        ends.off(id, wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, withinMs)
      ends.on(id, wake)
      signal.addEventListener('abort', wake)
    })
  }
}
