import {
  type Attempt,
  type Claim,
  type Completion,
  type Decision,
  type KeyName,
  OncekeyError,
  type Store,
  type StoredResponse,
} from '@oncekey/core'
import { plainKeys } from './plain-keys.ts'
import { nameOf, type PlainTransaction, type Row, type Table } from './plain-table.ts'

export type Verb = 'complete' | 'release' | 'abandon' | 'renew' | 'transaction'

/** The steps of a store, all correct. A broken store replaces one of them. */
export interface Steps {
  id(claim: KeyName & Partial<Pick<Claim, 'fingerprints'>>): string
  /** Checked before the record. */
  isLocked(id: string, claim: Claim, table: Table): boolean
  look(id: string, table: Table): Row | undefined
  /** Between the look-up and the claim. It does nothing, which makes the two atomic. */
  afterLook(row: Row | undefined): Promise<void> | undefined
  matches(row: Row, claim: Claim): boolean
  onMismatch(row: Row, claim: Claim, table: Table): void
  isOwnClaim(row: Row, claim: Claim): boolean
  hasLapsed(row: Row, table: Table): boolean
  onBusy(id: string, table: Table): void
  retryAfterMs(): number
  holds(claim: Claim, row: Row): boolean
  /** Whether a claim that would get the key is a late copy of one whose attempt has ended. */
  isOver(claim: Claim, table: Table): boolean
  leaseMs(leaseMs: number): number
  newRow(claim: Claim, before: Row | undefined): Pick<Row, 'fingerprint' | 'number'>
  whenStillBusy(claim: Claim, waitedMs: number): 'ask again' | 'in-progress'
  owns(row: Row | undefined, token: string, verb: Verb, table: Table): boolean
  /** Whether a completion was carried out before and is sent again. */
  wasCompletedBy(row: Row | undefined, token: string): boolean
  encode(response: StoredResponse): unknown
  decode(kept: unknown): StoredResponse | null
  handOut(transaction: PlainTransaction): PlainTransaction
  revoke(transaction: PlainTransaction): void
  write(transaction: PlainTransaction, id: string, table: Table): void
  undo(transaction: PlainTransaction, table: Table): void
  /** Stores response, writes and events in one turn of the event loop. */
  commit(parts: CommitParts): 'stored' | 'superseded' | Promise<'stored' | 'superseded'>
  /** What a completion makes of a transaction in which a statement failed; it throws afterwards. */
  onFailed(parts: CommitParts): void
  /** Called when an attempt that has ended is ended again. */
  onEndedAgain(): void
  keylessId(): string | undefined
  /** When the claim was sent. */
  timing(): { readonly askedAt?: number }
  free(row: Row, id: string, verb: 'release' | 'abandon', table: Table): void
  /** Called for an attempt whose caller was not told of it and will not use it, but `told`. */
  onUnheard(
    attempt: Attempt<PlainTransaction>,
    told: 'an error' | 'an answer',
  ): Promise<void> | undefined
  /** How much of this is still open for `settle`. */
  open(waiting: readonly unknown[]): number
  /** What an attempt that still owns its key does about a row that is gone. */
  restore(id: string, claimed: Row, table: Table): Row | undefined
  isResultGone(row: Row, table: Table): boolean
}

export interface CommitParts {
  readonly table: Table
  readonly completion: Completion
  readonly owns: () => boolean
  readonly storeResponse: () => void
  readonly commitWrites: () => void
  /** Releases the key, as a rollback does. */
  readonly free: () => void
}

export const DAY_MS = 24 * 60 * 60 * 1000

/** A round trip to a database. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

export function rightSteps(mode: 'transaction' | 'lease'): Steps {
  return {
    id: ({ namespace, scope, key }) => JSON.stringify([namespace, scope, key]),
    isLocked: () => false,
    look(id, table) {
      const row = table.rows.get(id)
      if (row?.state !== 'finished' || row.finishedAt + 7 * DAY_MS > table.now) return row
      table.rows.delete(id)
      return undefined
    },
    afterLook: () => undefined,
    matches: (row, claim) => claim.fingerprints.includes(row.fingerprint),
    onMismatch: () => {},
    isOwnClaim: (row, claim) => row.token === claim.token,
    hasLapsed: (row, table) => row.leaseUntil <= table.now,
    onBusy: () => {},
    retryAfterMs: () => 1000,
    holds: ({ whenUnknown, retakes }, row) =>
      whenUnknown === 'hold' || (retakes ?? nameOf(row)) !== nameOf(row),
    isOver: (claim, table) => mode === 'lease' && table.over.has(claim.token),
    leaseMs: (leaseMs) => (mode === 'lease' ? leaseMs : Number.POSITIVE_INFINITY),
    newRow: (claim, before) => ({
      fingerprint: before?.fingerprint ?? claim.fingerprints[0],
      number: (before?.number ?? 0) + 1,
    }),
    whenStillBusy: (claim, waitedMs) =>
      waitedMs < claim.waitMs && !claim.signal.aborted ? 'ask again' : 'in-progress',
    owns(row, token, _verb, table) {
      if (row === undefined) return mode === 'lease' && !table.over.has(token)
      return row.state === 'running' && row.token === token
    },
    wasCompletedBy: (row, token) => row?.state === 'finished' && row.token === token,
    encode: (response) => structuredClone(response),
    decode: (kept) => structuredClone(kept) as StoredResponse,
    handOut: (transaction) => transaction,
    revoke(transaction) {
      transaction.isOver = true
    },
    write(transaction, id) {
      if (transaction.isOver) throw transactionOver()
      transaction.staged.add(id)
    },
    undo: () => {},
    commit({ table, completion, owns, storeResponse, commitWrites }) {
      if (!owns()) return 'superseded'
      storeResponse()
      if (completion.writes === 'keep') {
        commitWrites()
        table.events.push(...completion.events)
      }
      return 'stored'
    },
    free(row, id, verb, table) {
      table.over.add(row.token)
      if (verb === 'release' || mode === 'transaction') {
        table.rows.delete(id)
        return
      }
      row.leaseUntil = table.now
      row.token = ''
    },
    onUnheard: ({ number, release, abandon }) => (number === 1 ? release() : abandon()),
    open: (waiting) => waiting.length,
    restore(id, claimed, table) {
      table.rows.set(id, claimed)
      return claimed
    },
    onFailed: ({ free }) => free(),
    onEndedAgain: () => {},
    keylessId: () => undefined,
    timing: () => ({ askedAt: performance.now() }),
    isResultGone: (row, table) => row.finishedAt + DAY_MS <= table.now,
  }
}

/** A store of rows with a database's delay before each step, simple enough to verify by reading. */
export function plainStore(
  mode: 'transaction' | 'lease',
  table: Table,
  steps: Steps = rightSteps(mode),
): Store<PlainTransaction> {
  const handedOut = new Map<string, Attempt<PlainTransaction>>()

  return {
    capabilities: { name: 'plain', mode, transactions: true, concurrency: 'many' },

    async begin(claim) {
      const startedAt = performance.now()
      for (;;) {
        await turn()
        if (table.isClosed) throw new Error('The table is closed.')
        const decision = await decide(claim)
        if (decision.kind !== 'in-progress') return decision
        const next = steps.whenStillBusy(claim, performance.now() - startedAt)
        if (next === 'in-progress') return decision
        await new Promise((resolve) => setTimeout(resolve, 2))
        if (claim.signal.aborted && steps.whenStillBusy(claim, 0) === 'in-progress') return decision
      }
    },

    async open() {
      await turn()
      return attemptOn(steps.keylessId(), '', 1)
    },

    ...plainKeys(mode, table, steps),
  }

  async function decide(claim: Claim): Promise<Decision<PlainTransaction>> {
    const id = steps.id(claim)
    const inProgress = { kind: 'in-progress', retryAfterMs: steps.retryAfterMs() } as const
    if (steps.isLocked(id, claim, table)) return inProgress
    const row = steps.look(id, table)
    const pause = steps.afterLook(row)
    if (pause !== undefined) await pause

    if (row !== undefined && !steps.matches(row, claim)) {
      steps.onMismatch(row, claim, table)
      return { kind: 'mismatch' }
    }
    if (row?.state === 'finished') {
      const response = steps.isResultGone(row, table) ? null : steps.decode(row.response)
      if (response === null || response.body === null) return { kind: 'result-gone' }
      return { kind: 'replay', response, fingerprint: row.fingerprint }
    }
    if (row !== undefined && steps.isOwnClaim(row, claim)) {
      const own = handedOut.get(claim.token) ?? attemptOn(id, row.token, row.number)
      return { kind: 'run', attempt: own }
    }
    if (row !== undefined && !steps.hasLapsed(row, table)) {
      steps.onBusy(id, table)
      return inProgress
    }
    if (row !== undefined && steps.holds(claim, row)) {
      return { kind: 'unknown', attempt: nameOf(row), since: new Date(row.leaseUntil) }
    }
    if (steps.isOver(claim, table)) return inProgress
    const { token } = claim
    if (row !== undefined) table.over.add(row.token)
    const { fingerprint, number } = steps.newRow(claim, row)
    const leaseUntil = table.now + steps.leaseMs(claim.leaseMs)
    table.rows.set(id, {
      state: 'running',
      fingerprint,
      token,
      number,
      claimedAt: row?.claimedAt ?? table.now,
      leaseUntil,
      finishedAt: 0,
      response: undefined,
    })
    const attempt = attemptOn(id, token, number)
    handedOut.set(token, attempt)
    return { kind: 'run', attempt }
  }

  function attemptOn(
    id: string | undefined,
    token: string,
    number: number,
  ): Attempt<PlainTransaction> {
    const transaction: PlainTransaction = { staged: new Set(), isOver: false, hasFailed: false }
    let hasEnded = false
    const claimed = id === undefined ? undefined : table.rows.get(id)
    const rowNow = (): Row | undefined => (id === undefined ? undefined : table.rows.get(id))
    const ownRow = (): Row | undefined => {
      if (id === undefined || claimed === undefined) return undefined
      return rowNow() ?? steps.restore(id, claimed, table)
    }
    const owns = (verb: Verb): boolean =>
      id === undefined ? !hasEnded : steps.owns(rowNow(), token, verb, table)

    const end = async (verb: 'release' | 'abandon'): Promise<void> => {
      steps.revoke(transaction)
      await turn()
      if (hasEnded) steps.onEndedAgain()
      else steps.undo(transaction, table)
      const row = owns(verb) ? ownRow() : undefined
      if (row !== undefined && id !== undefined) steps.free(row, id, verb, table)
      hasEnded = true
    }

    return {
      number,
      ...steps.timing(),
      async transaction() {
        if (transaction.isOver || !owns('transaction')) throw transactionOver()
        return steps.handOut(transaction)
      },
      async complete(completion) {
        steps.revoke(transaction)
        await turn()
        if (completion.writes === 'undo') steps.undo(transaction, table)
        const parts: CommitParts = {
          table,
          completion,
          owns: () => owns('complete'),
          free() {
            if (id !== undefined) table.rows.delete(id)
          },
          storeResponse() {
            if (id === undefined) return
            const row = ownRow()
            if (row === undefined) return
            row.state = 'finished'
            row.finishedAt = table.now
            row.response = steps.encode(completion.response)
          },
          commitWrites() {
            for (const written of transaction.staged) table.written.add(written)
          },
        }
        if (transaction.hasFailed && completion.writes === 'keep') {
          hasEnded = true
          steps.onFailed(parts)
          throw new OncekeyError('transaction-aborted', 'A statement had failed.')
        }
        const outcome = await steps.commit(parts)
        hasEnded = true
        return steps.wasCompletedBy(rowNow(), token) ? 'stored' : outcome
      },
      release: () => end('release'),
      abandon: () => end('abandon'),
      async renew(leaseMs) {
        await turn()
        if (!owns('renew')) return 'stale'
        const row = ownRow()
        if (row !== undefined) row.leaseUntil = table.now + steps.leaseMs(leaseMs)
        return 'held'
      },
    }
  }
}

function transactionOver(): OncekeyError {
  return new OncekeyError('transaction-over', 'The transaction is over.')
}
