import type { Definition } from '../definition/definition.ts'
import { failedStepOf } from '../operator/runs.ts'
import { errorOf } from '../run/failure.ts'
import { SagaError } from '../run/saga-error.ts'
import type { FoundRunJson } from '../statements/runs.ts'

export function isOver({ state }: FoundRunJson): boolean {
  return state !== 'running' && state !== 'compensating'
}

/**
 * The result of a run that is over, as the saga's definition makes it. Throws the {@link SagaError}
 * of every other end. Without a definition the results of the steps are the result.
 */
export function resultOf(
  id: string,
  found: FoundRunJson,
  definition: Definition | undefined,
): unknown {
  const { state, saga, error } = found
  const step = failedStepOf(found) ?? undefined
  const about = {
    runId: id,
    step,
    ...(error !== null && { cause: errorOf(error) }),
  }
  const why = error === null ? '' : `: ${error.message}`
  switch (state) {
    case 'completed': {
      const run = { input: found.input, state: found.results }
      return definition === undefined ? found.results : definition.result(run)
    }
    case 'compensated':
      throw new SagaError(
        'saga-compensated',
        `Saga "${saga}" was undone${step === undefined ? '' : ` because step "${step}" failed`}${why}`,
        about,
      )
    case 'compensation-failed':
      throw new SagaError(
        'saga-compensation-failed',
        `Saga "${saga}" failed${why}, and a compensation failed too; an operator has to act.`,
        about,
      )
    case 'settled':
      throw new SagaError(
        'saga-settled',
        `Saga "${saga}" was ended by hand: ${found.note ?? ''}`,
        about,
      )
    default:
      throw new SagaError(
        'saga-stuck',
        `Saga "${saga}" waits for an operator at step "${found.stuck?.step}".`,
        about,
      )
  }
}
