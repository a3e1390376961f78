import { OncekeyError } from '@oncekey/core'
import { type ReservedConnection, reservedConnection } from '@oncekey/postgres/client'
import type { HeldState } from '../statements/work.ts'
import { reportError } from '../telemetry/channels.ts'
import type { ResolvedOptions } from './runner-options.ts'
import type { Statements } from './statements.ts'

/** A run that this process drives, until it gives the run up or loses it. */
export interface Held {
  readonly id: string
  readonly epoch: number
  /** The name of the last recorded move, which the next move has to name. */
  move: string
  /** The run's state as far as this process knows. */
  state: 'running' | 'compensating'
  /**
   * Whether a step's transaction is open. Its lock on the run protects the run even after the lease
   * has ended.
   */
  isLocked: boolean
  /**
   * Whether a move is being written. Until its reply, the state on record may be the one that this
   * process has just given the run itself.
   */
  isMoving: boolean
  /**
   * Aborts when the run is lost or may be lost. Whoever gets the signal stops and writes nothing.
   */
  readonly lostSignal: AbortSignal
  /** Aborts when the attempt should end, because the run was cancelled or the runner stops. */
  readonly endSignal: AbortSignal
  /** Aborts when a stopping runner no longer waits for the attempt. */
  readonly givenUpSignal: AbortSignal
  /** Call it once the run is given up or lost: the lease then ends by itself. */
  stopRenewing(): void
}

export interface Leases {
  /**
   * Begins to renew the lease of a run. The lease is counted from when the claim was sent, which is
   * no later than when the database counted from.
   */
  hold(run: HeldRun): Held
  /** Aborts the step of a run that an operator has cancelled. */
  cancel(id: string): void
  /** Aborts every attempt, because the runner stops. Each gives its run up once it has ended. */
  end(reason: Error): void
  /** Tells that the runner no longer waits for attempts that have not ended. */
  giveUp(reason: Error): void
}

type HeldRun = Pick<Held, 'id' | 'epoch' | 'move' | 'state'> & { readonly askedAt: number }

interface Entry extends Held {
  heldUntil: number
  readonly losing: AbortController
  readonly ending: AbortController
  readonly givingUp: AbortController
}

/**
 * Renews the leases of all runs of a process in one statement, three times per lease, and checks
 * once a second whether an operator has cancelled one. A run is lost if the statement does not
 * return it, or if its lease ends before a renewal succeeds.
 *
 * The statements use a reserved connection. In the pool they would queue behind the very steps
 * whose leases they renew.
 */
export function leases<Tx>(options: ResolvedOptions<Tx>, statements: Statements): Leases {
  const { leaseMs } = options
  const connection = connectionFor(options)
  const canAlwaysAsk = options.client.reserve !== undefined && options.client.poolSize >= 2
  const held = new Set<Entry>()
  let timer: NodeJS.Timeout | undefined
  let asking = false
  let renewedAt = 0

  return {
    hold({ askedAt, ...run }) {
      const losing = new AbortController()
      const ending = new AbortController()
      const givingUp = new AbortController()
      const entry: Entry = {
        ...run,
        isLocked: false,
        isMoving: false,
        losing,
        ending,
        givingUp,
        lostSignal: losing.signal,
        endSignal: ending.signal,
        givenUpSignal: givingUp.signal,
        heldUntil: askedAt + leaseMs,
        stopRenewing() {
          held.delete(entry)
          if (held.size === 0) stopTimer()
        },
      }
      if (held.size === 0) renewedAt = performance.now()
      held.add(entry)
      connection.keep()
      timer ??= setInterval(tick, Math.min(leaseMs / 3, WATCH_MS))
      return entry
    },
    cancel(id) {
      for (const entry of held) if (entry.id === id) cancelled(entry)
    },
    end(reason) {
      for (const entry of held) entry.ending.abort(reason)
    },
    giveUp(reason) {
      for (const entry of held) entry.givingUp.abort(reason)
    },
  }

  function stopTimer(): void {
    clearInterval(timer)
    timer = undefined
    if (!asking) connection.release()
  }

  function tick(): void {
    const now = performance.now()
    for (const entry of held) {
      if (entry.heldUntil > now) continue
      // Without a reserved connection, the renewal may be waiting for the step's own transaction.
      if (canAlwaysAsk || !entry.isLocked) lose(entry, overdue())
    }
    if (!asking && held.size > 0) void ask(now - renewedAt >= leaseMs / 3 - 1)
  }

  /** Asks about all runs in one statement. A run that is not in the reply is lost. */
  async function ask(renews: boolean): Promise<void> {
    const asked = [...held]
    const askedAt = performance.now()
    const ids = asked.map(({ id, epoch }) => ({ id, epoch }))
    asking = true
    if (renews) renewedAt = askedAt
    try {
      const rows = await connection.query<HeldState>(
        renews ? statements.renewLeases(ids, leaseMs) : statements.watchRuns(ids),
      )
      // By epoch as well: an attempt may have lost its run to another one of this process.
      const states = new Map(rows.map(({ id, epoch, state }) => [`${id} ${epoch}`, state]))
      for (const entry of asked) {
        const state = states.get(`${entry.id} ${entry.epoch}`)
        if (state === undefined) {
          if (held.has(entry)) lose(entry, taken())
          continue
        }
        if (renews) entry.heldUntil = askedAt + leaseMs
        if (state === 'compensating') cancelled(entry)
      }
    } catch (error) {
      reportError({ error, during: 'renew' })
    } finally {
      asking = false
      if (held.size === 0) connection.release()
    }
  }

  /**
   * Ends the attempt of a run that goes back although this process has it going forward. While a
   * move is being written, it may be this move that has the run go back, and what is aborted would
   * be its compensations. A cancellation is still seen a second later.
   */
  function cancelled({ state, isMoving, ending }: Entry): void {
    if (state !== 'running' || isMoving) return
    ending.abort(
      new OncekeyError('attempt-over', 'This run was cancelled; its steps are being compensated.'),
    )
  }

  function lose(entry: Entry, reason: Error): void {
    entry.stopRenewing()
    entry.losing.abort(reason)
  }
}

/** The reserved connection. A pool of one connection has none to reserve. */
function connectionFor<Tx>({ client, acquireTimeoutMs }: ResolvedOptions<Tx>): ReservedConnection {
  if (client.poolSize >= 2) return reservedConnection(client, acquireTimeoutMs)
  return {
    keep() {},
    query: (statement) => client.query(statement, { timeoutMs: acquireTimeoutMs }),
    release() {},
  }
}

function overdue(): OncekeyError {
  return new OncekeyError(
    'attempt-over',
    'The lease of this run ran out: the database could not be reached to renew it.',
  )
}

function taken(): OncekeyError {
  return new OncekeyError('attempt-over', 'Another process has taken over this run.')
}

/** How often runs are checked for cancellation between renewals. Milliseconds. */
const WATCH_MS = 1_000
