import type { ResolvedOptions } from '../../routing/options.ts'
import type { ShownRun, ShownWholeRun } from '../../sources/sagas.ts'

type Mask = Pick<ResolvedOptions, 'mask'>

/** A run as a list shows it, with the details of its error masked. */
export function maskedRun<Run extends ShownRun>(run: Run, { mask }: Mask): Run {
  return { ...run, error: maskedError(run.error, mask) }
}

/** A run with its input, the results of its steps and the details of its errors masked. */
export function maskedWholeRun(run: ShownWholeRun, { mask }: Mask): ShownWholeRun {
  return {
    ...maskedRun(run, { mask }),
    timeline: run.timeline.map((entry) =>
      entry.error === undefined ? entry : { ...entry, error: maskedError(entry.error, mask) },
    ),
    input: maskedValue(run.input, mask),
    steps: run.steps.map((step) => ({ ...step, result: maskedValue(step.result, mask) })),
  }
}

/** The details of a PermanentError are data that a step put there. */
function maskedError<E>(error: E, mask: ResolvedOptions['mask']): E {
  return typeof error === 'object' && error !== null && 'details' in error
    ? { ...error, details: maskedValue(error.details, mask) }
    : error
}

function maskedValue(value: unknown, mask: ResolvedOptions['mask']): unknown {
  if (value === undefined || value === null) return value
  const text = JSON.stringify(value)
  const shown = mask(text, 'saga')
  return shown === text ? value : parsedOr(shown)
}

/** Parses JSON. A mask may return any text, so a text that is not JSON is returned as it is. */
function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
