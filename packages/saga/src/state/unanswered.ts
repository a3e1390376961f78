import type { ResolvedOptions } from './runner-options.ts'
import type { Statements } from './statements.ts'

/**
 * Questions that take runs for this process: a claim, a take, a start. If one gets no answer, its
 * runs may be ours without our knowing, and when their leases end they count as lost with a process
 * that died. Enough of that, and a step that nobody ran counts as failed, only because the database
 * was slow. So what such a question took is given back before the next one is asked.
 */
export interface Unanswered {
  /**
   * Asks a question that may take the run `id`, or runs that only its answer names. `askedAt` is
   * when it was sent, by `performance.now()`: leases count from then.
   */
  taking<T>(
    id: string | undefined,
    ask: () => Promise<T>,
  ): Promise<{ readonly answer: T; readonly askedAt: number }>
  /**
   * This process drove a run and no longer does, but does not give it back: it lost the run, and a
   * step that hangs its process has to count, or it stopped and left the run while its step runs.
   */
  keep(id: string): void
}

export function unanswered<Tx>(
  options: Pick<ResolvedOptions<Tx>, 'client' | 'node' | 'leaseMs' | 'acquireTimeoutMs'>,
  statements: Statements,
  driving: ReadonlyMap<string, unknown>,
): Unanswered {
  const { client, node, leaseMs, acquireTimeoutMs: timeoutMs } = options
  const asked = new Map<string, number>()
  const left = new Set<string>()
  /** Questions under way whose runs only the answers name. */
  let claims = 0
  let failures = 0
  let settled = 0
  let givingBack: Promise<void> | undefined

  return {
    async taking(id, ask) {
      while (failures > settled && claims === 0) {
        givingBack ??= giveBack()
        await givingBack
      }
      count(id, 1)
      const askedAt = performance.now()
      try {
        const answer = await ask()
        // Until then, whoever asked has said what it drives.
        setImmediate(() => count(id, -1))
        return { answer, askedAt }
      } catch (error) {
        failures += 1
        count(id, -1)
        throw error
      }
    },
    keep(id) {
      left.add(id)
      const [oldest] = left
      if (left.size > MOST_LEFT && oldest !== undefined) left.delete(oldest)
    },
  }

  /**
   * Once for all who ask meanwhile, so that nothing is taken before it is over: it would give back
   * what is taken after `kept` was read.
   */
  async function giveBack(): Promise<void> {
    const upTo = failures
    const kept = [...driving.keys(), ...asked.keys(), ...left]
    try {
      await client.query(statements.giveBackUnanswered({ owner: node, leaseMs, kept }), {
        timeoutMs,
      })
      settled = upTo
    } finally {
      givingBack = undefined
    }
  }

  function count(id: string | undefined, change: 1 | -1): void {
    if (id === undefined) {
      claims += change
      return
    }
    const now = (asked.get(id) ?? 0) + change
    if (now === 0) asked.delete(id)
    else asked.set(id, now)
  }
}

const MOST_LEFT = 1_000
