import { whyUnknown } from '../definition/known-definition.ts'
import type { RunnerState } from '../state/runner-state.ts'
import type { ListedRunJson } from '../statements/run-lists.ts'
import { alert } from './raise-alert.ts'

const told = new WeakMap<object, { at: number; readonly ids: Set<string> }>()

/**
 * Once a minute, alerts for due runs whose definition is not registered here, once for each run.
 */
export async function tellUnknown<Tx>(runner: RunnerState<Tx>): Promise<void> {
  const before = told.get(runner) ?? { at: Number.NEGATIVE_INFINITY, ids: new Set<string>() }
  if (performance.now() - before.at < EVERY_MS) return
  before.at = performance.now()
  told.set(runner, before)
  const { client, definitions, statements, acquireTimeoutMs } = runner
  const rows = await client.query(
    statements.listRuns({
      known: [...definitions.keys()],
      saga: null,
      state: null,
      stuck: true,
      after: null,
      limit: AT_MOST,
      // During a deploy, a process that knows the definition may be about to start, so runs that
      // became due only recently are left out.
      graceMs: runner.leaseMs,
    }),
    { timeoutMs: acquireTimeoutMs },
  )
  for (const { run } of rows) {
    const listed: ListedRunJson = JSON.parse(run)
    if (!listed.unknown || before.ids.has(listed.id) || before.ids.size >= AT_MOST) continue
    before.ids.add(listed.id)
    alert(runner, {
      kind: 'definition-unknown',
      runId: listed.id,
      saga: listed.saga,
      version: listed.version,
      message: `Run ${listed.id} cannot continue here. ${whyUnknown(listed, definitions)}`,
    })
  }
}

const EVERY_MS = 60_000
const AT_MOST = 1_000
