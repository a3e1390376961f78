import type { RunnerState } from '../state/runner-state.ts'

const mendedAt = new WeakMap<object, number>()

/**
 * Once a minute, repairs runs after the database's clock was put back: a run is made due if its
 * lease or wait ends further ahead than it was set for.
 */
export async function mendDueTimes<Tx>(runner: RunnerState<Tx>): Promise<void> {
  const now = performance.now()
  if (now - (mendedAt.get(runner) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
  mendedAt.set(runner, now)
  const { client, statements, acquireTimeoutMs: timeoutMs } = runner
  await client.query(statements.mendDueTimes(), { timeoutMs })
}

const EVERY_MS = 60_000
