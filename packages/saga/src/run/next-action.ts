import type { Definition, ResolvedStep } from '../definition/definition.ts'
import type { Run, StepRow } from './run.ts'

/** The attempt that a run makes next. */
export interface Action {
  readonly direction: 'run' | 'compensate'
  readonly position: number
  readonly step: ResolvedStep
  /** Counts from 1. */
  readonly attempt: number
}

/**
 * Going forward: the first step that is not done. Going backward: the last step that may have had
 * an effect and has a compensation. `undefined` if there is none: the run has ended.
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
    if (step?.compensate === undefined || row === undefined || !mayHaveHadEffect(row)) continue
    return { direction: 'compensate', position, step, attempt: row.compensationAttempts + 1 }
  }
  return undefined
}

/** A step that was begun or failed may have had an effect, so its compensation runs too. */
function mayHaveHadEffect({ state }: StepRow): boolean {
  return state === 'done' || state === 'begun' || state === 'failed'
}
