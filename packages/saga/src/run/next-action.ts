import type { Definition, ResolvedStep } from '../definition/definition.ts'
import type { Run, StepRow } from './run.ts'

/** The next attempt of a run: of which step, and in which direction. */
export interface Action {
  readonly direction: 'run' | 'compensate'
  readonly position: number
  readonly step: ResolvedStep
  /** The number of the attempt, from 1. */
  readonly attempt: number
}

/**
 * The next action of a run. Going forward, it is the first step that is not done. Going backward,
 * it is the compensation of the last step that has one and may have had an effect. `undefined` if
 * there is no such step: the run has ended.
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

/** A step that was begun or failed may have had an effect, so it is compensated too. */
function mayHaveHadEffect({ state }: StepRow): boolean {
  return state === 'done' || state === 'begun' || state === 'failed'
}
