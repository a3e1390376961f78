import type { Definition, ResolvedStep } from '../definition/definition.ts'
import type { Run, StepRow } from './run.ts'

/** What a run has to do next. */
export interface Action {
  readonly direction: 'run' | 'compensate'
  readonly position: number
  readonly step: ResolvedStep
  /** 1 for the first. */
  readonly attempt: number
}

/**
 * Forward, the first step that is not done; backward, the last one that may have left something and
 * can undo it. `undefined`: there is none, it has ended.
 */
export function nextAction(definition: Definition, run: Run): Action | undefined {
  return run.state === 'running' ? forward(definition, run) : backward(definition, run)
}

function forward({ steps }: Definition, run: Run): Action | undefined {
  const position = steps.findIndex((_, at) => run.steps.get(at)?.state !== 'done')
  const step = steps[position]
  if (step === undefined) return undefined
  const attempt = (run.steps.get(position)?.attempts ?? 0) + 1
  return { direction: 'run', position, step, attempt }
}

function backward({ steps }: Definition, run: Run): Action | undefined {
  for (let position = steps.length - 1; position >= 0; position--) {
    const step = steps[position]
    const row = run.steps.get(position)
    if (step?.compensate === undefined || row === undefined || !hasLeftSomething(row)) continue
    return { direction: 'compensate', position, step, attempt: row.compensationAttempts + 1 }
  }
  return undefined
}

/** Or may have. */
function hasLeftSomething({ state }: StepRow): boolean {
  return state === 'done' || state === 'begun' || state === 'failed'
}
