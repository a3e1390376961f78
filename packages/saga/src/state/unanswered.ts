import { unansweredTakes } from '@oncekey/core'
import type { ResolvedOptions } from './runner-options.ts'
import type { Statements } from './statements.ts'

/** Questions that take runs for this process. What got no answer is given back. */
export interface Unanswered {
  /**
   * Asks a question that may take the run `id`, or runs that only its answer names. `askedAt` is
   * when it was sent, by `performance.now()`: leases count from then. Resolves with `undefined` if
   * it is no longer to be asked when it is its turn (`isOver`).
   */
  taking<T>(
    id: string | undefined,
    ask: () => Promise<T>,
    isOver?: () => boolean,
  ): Promise<{ readonly answer: T; readonly askedAt: number } | undefined>
  /**
   * Gives back what was taken without an answer, if there is any and no question is under way whose
   * answer names other runs.
   */
  giveBack(): Promise<void>
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
  /** How many questions under way name a run. */
  const asked = new Map<string, number>()
  const left = new Set<string>()
  const { taking, giveBack } = unansweredTakes(async () => {
    const kept = [...driving.keys(), ...asked.keys(), ...left]
    const find = statements.findUnanswered({ owner: node, leaseMs, kept })
    const found = await client.query(find, { timeoutMs })
    if (found.length === 0) return
    await client.query(statements.giveBackUnanswered(node, found), { timeoutMs })
  })

  return {
    taking(id, ask, isOver = () => false) {
      const timed = async () => {
        const askedAt = performance.now()
        return { answer: await ask(), askedAt }
      }
      if (id === undefined) return taking(timed, { isOver })
      return taking(() => naming(id, timed), { isOver, isNamed: true })
    },
    giveBack,
    keep(id) {
      left.add(id)
      const [oldest] = left
      if (left.size > MOST_LEFT && oldest !== undefined) left.delete(oldest)
    },
  }

  async function naming<T>(id: string, ask: () => Promise<T>): Promise<T> {
    count(id, 1)
    try {
      const answer = await ask()
      // Until then, whoever asked has said what it drives.
      setImmediate(() => count(id, -1))
      return answer
    } catch (error) {
      count(id, -1)
      throw error
    }
  }

  function count(id: string, change: 1 | -1): void {
    const now = (asked.get(id) ?? 0) + change
    if (now === 0) asked.delete(id)
    else asked.set(id, now)
  }
}

const MOST_LEFT = 1_000
