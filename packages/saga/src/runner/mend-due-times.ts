import type { RunnerState } from '../state/runner-state.ts'

const mendedAt = new WeakMap<object, number>()

/**
 * Once a minute, repairs runs after the database's clock was put back. A lease or a wait then seems
 * to end later than its whole length from now, which cannot be. A lease begins again, and a run
 * that waits is made due.
 */
export async function mendDueTimes<Tx>(runner: RunnerState<Tx>): Promise<void> {
  const now = performance.now()
  if (now - (mendedAt.get(runner) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
  mendedAt.set(runner, now)
  const { client, statements, acquireTimeoutMs: timeoutMs } = runner
  await client.query(statements.mendDueTimes(), { timeoutMs })
}

const EVERY_MS = 60_000
