import { OncekeyError } from '@oncekey/core'
import { reportError } from './diagnostics.ts'
import type { ResolvedOptions } from './runner-options.ts'
import type { Statements } from './statements/all.ts'

/** A run that this process has, until it lets it go or loses it. */
export interface Held {
  readonly id: string
  readonly epoch: number
  /** Aborts when the run is lost, or may be: stop. */
  readonly lost: AbortSignal
  letGo(): void
}

export interface Leases {
  /** From when it was asked for: the database's clock started no earlier. */
  hold(run: { readonly id: string; readonly epoch: number; readonly askedAt: number }): Held
  /** Gives all of them up at once: their signals abort. */
  abandon(reason: Error): void
}

interface Entry extends Held {
  heldUntil: number
  readonly controller: AbortController
}

/**
 * Keeps the leases of all the runs of a process, in one statement three times a lease. A run is lost
 * when the statement says so, and also when it could not be asked until its lease ran out.
 */
export function leases<Tx>(options: ResolvedOptions<Tx>, statements: Statements): Leases {
  const { client, leaseMs, acquireTimeoutMs } = options
  const held = new Set<Entry>()
  let timer: NodeJS.Timeout | undefined
  let asking = false

  return {
    hold({ id, epoch, askedAt }) {
      const controller = new AbortController()
      const entry: Entry = {
        id,
        epoch,
        controller,
        lost: controller.signal,
        heldUntil: askedAt + leaseMs,
        letGo() {
          held.delete(entry)
          if (held.size > 0 || timer === undefined) return
          clearInterval(timer)
          timer = undefined
        },
      }
      held.add(entry)
      timer ??= setInterval(tick, leaseMs / 3)
      return entry
    },
    abandon(reason) {
      for (const entry of held) lose(entry, reason)
    },
  }

  function tick(): void {
    const now = performance.now()
    for (const entry of held) {
      if (entry.heldUntil <= now) lose(entry, overdue())
    }
    if (!asking && held.size > 0) void renew()
  }

  async function renew(): Promise<void> {
    const asked = [...held]
    const askedAt = performance.now()
    asking = true
    try {
      const statement = statements.renewLeases(
        asked.map(({ id, epoch }) => ({ id, epoch })),
        leaseMs,
      )
      const rows = await client.query(statement, { timeoutMs: acquireTimeoutMs })
      const ours = new Set(rows.map(({ id }) => id))
      for (const entry of asked) {
        if (ours.has(entry.id)) entry.heldUntil = askedAt + leaseMs
        else if (held.has(entry)) lose(entry, taken())
      }
    } catch (error) {
      reportError({ error, during: 'renew' })
    } finally {
      asking = false
    }
  }

  function lose(entry: Entry, reason: Error): void {
    entry.letGo()
    entry.controller.abort(reason)
  }
}

function overdue(): OncekeyError {
  return new OncekeyError(
    'attempt-over',
    'The lease of this run ran out: the database could not be reached to renew it.',
  )
}

function taken(): OncekeyError {
  return new OncekeyError('attempt-over', 'Another process has taken this run over.')
}
