import { whyUnknown } from '../definition/known-definition.ts'
import type { RunnerState } from '../state/runner-state.ts'
import type { UnknownRunJson } from '../statements/run-lists.ts'
import { alert } from './raise-alert.ts'

/** A runner's walk through the runs of unknown definitions, by id, which begins once a minute. */
interface Walk {
  nextAt: number
  /** The last run of the page before; null before the first page. */
  after: string | null
  /** Counts the walks. */
  round: number
  /**
   * The runs that were alerted for, and the last walk that met them. A walk that has ended forgets
   * those that it has not met: they go on somewhere, or have ended.
   */
  readonly told: Map<string, number>
}

const walks = new WeakMap<object, Walk>()

/**
 * Alerts for due runs whose definition is not registered here, once for each run. Each call reads
 * one page at most: after a full page the next call goes on behind it, so that a runner with many
 * such runs still gets to its other work.
 */
export async function tellUnknown<Tx>(runner: RunnerState<Tx>): Promise<void> {
  const walk = walks.get(runner) ?? { nextAt: 0, after: null, round: 0, told: new Map() }
  walks.set(runner, walk)
  if (performance.now() < walk.nextAt) return
  walk.nextAt = performance.now() + EVERY_MS
  const { client, definitions, statements, acquireTimeoutMs } = runner
  const statement = statements.listUnknownRuns({
    known: [...definitions.keys()],
    after: walk.after,
    limit: PAGE,
    // During a deploy, a process that knows the definition may be about to start, so runs that
    // became due only recently are left out.
    graceMs: runner.leaseMs,
  })
  const rows = await client.query(statement, { timeoutMs: acquireTimeoutMs })
  for (const { run } of rows) {
    const unknown: UnknownRunJson = JSON.parse(run)
    walk.after = unknown.id
    if (isToTell(walk, unknown.id)) tell(runner, unknown)
  }
  if (rows.length === PAGE) {
    walk.nextAt = 0
    return
  }
  for (const [id, met] of walk.told) if (met < walk.round) walk.told.delete(id)
  walk.after = null
  walk.round += 1
}

/**
 * Whether the run is not told yet, and can be remembered. When as many are told as are remembered,
 * the others are told as those come to an end.
 */
function isToTell({ told, round }: Walk, id: string): boolean {
  const isTold = told.has(id)
  if (!isTold && told.size >= MOST_TOLD) return false
  told.set(id, round)
  return !isTold
}

function tell<Tx>(runner: RunnerState<Tx>, unknown: UnknownRunJson): void {
  const { id, saga, version } = unknown
  alert(runner, {
    kind: 'definition-unknown',
    runId: id,
    saga,
    version,
    message: `Run ${id} cannot continue here. ${whyUnknown(unknown, runner.definitions)}`,
  })
}

const EVERY_MS = 60_000
const PAGE = 1_000
const MOST_TOLD = 100_000
