import type { FailureJson } from '../statements/run-json.ts'
import type { WholeRunJson } from '../statements/runs.ts'

/** One entry of a run's timeline, by the database's clock. */
export interface TimelineEntry {
  readonly at: Date
  readonly what:
    | 'started'
    | 'step-begun'
    | 'step-done'
    | 'step-failed'
    | 'step-compensated'
    | 'compensation-failed'
    | 'ended'
  readonly step?: string
  /** The number of the failed attempt; only for failures. */
  readonly attempt?: number
  readonly error?: FailureJson
  /** A line of text for people. */
  readonly text: string
}

/** Everything that happened in a run, in order; of its failed attempts the newest thousand. */
export function timelineOf(run: WholeRunJson): TimelineEntry[] {
  const entries: TimelineEntry[] = [
    entry(run.started_at, 'started', `saga "${run.saga}" version ${run.version} started`),
  ]
  for (const { name: step, begun_at, done_at, compensated_at } of run.steps) {
    // A local step is recorded only when it has succeeded or failed, so its two times are equal.
    if (begun_at !== done_at) entries.push(entry(begun_at, 'step-begun', `${step} begun`, { step }))
    if (done_at !== null) entries.push(entry(done_at, 'step-done', `${step} done`, { step }))
    if (compensated_at !== null) {
      entries.push(entry(compensated_at, 'step-compensated', `${step} compensated`, { step }))
    }
  }
  for (const { step, direction, attempt, error, failed_at, duration_ms } of run.failures) {
    const what = direction === 'run' ? 'step-failed' : 'compensation-failed'
    const who = direction === 'run' ? step : `compensation of ${step}`
    const text = `${who} failed, attempt ${attempt}, after ${duration_ms} ms: ${error.message}`
    entries.push(entry(failed_at, what, text, { step, attempt, error }))
  }
  entries.sort((a, b) => a.at.getTime() - b.at.getTime())
  if (run.ended_at !== null) entries.push(entry(run.ended_at, 'ended', `ended: ${run.state}`))
  return entries
}

function entry(
  at: number,
  what: TimelineEntry['what'],
  text: string,
  more: { step?: string; attempt?: number; error?: FailureJson } = {},
): TimelineEntry {
  return { at: new Date(at), what, ...more, text }
}
