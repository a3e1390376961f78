import type { Move } from '../run/move.ts'
import type { RunnerState } from '../state/runner-state.ts'
import type { SagaAlert } from '../telemetry/alert.ts'
import { reportError, tell } from '../telemetry/channels.ts'

/**
 * Reports that a run needs a person, to `onAlert` and to the channel. If there is neither, emits a
 * process warning.
 */
export function raiseAlert<Tx>(runner: RunnerState<Tx>, { run, json, parked }: Move): void {
  const failure = json.failures.at(-1)
  const step = failure?.step
  const kind = json.run?.state === 'compensation-failed' ? 'compensation-failed' : 'stuck'
  alert(runner, {
    kind,
    runId: run.id,
    saga: run.saga,
    version: run.version,
    ...(step !== undefined && { step }),
    ...(parked !== undefined && { reason: parked }),
    ...(failure !== undefined && { error: JSON.parse(failure.error) }),
    message:
      kind === 'stuck'
        ? `Saga "${run.saga}" ${run.id} can neither go on nor back: step "${step}" has failed for good. Find out what it did, then resume(id), or compensate(id, { pastPivot: true }).`
        : `Saga "${run.saga}" ${run.id} could not undo step "${step}". Put right what is in the way, then resume(id); or undo it by hand and settle(id, note).`,
  })
}

export function alert<Tx>({ onAlert }: RunnerState<Tx>, about: SagaAlert): void {
  const heard = tell('oncekey:saga-alert', () => about)
  if (onAlert === undefined) {
    if (!heard) process.emitWarning(about.message, { code: 'ONCEKEY', type: 'OncekeyWarning' })
    return
  }
  // Not awaited, because an alert that hangs or fails must not stop the run or the process.
  const calling = (async () => await onAlert(about))()
  calling.catch((error) => reportError({ error, during: 'alert', runId: about.runId }))
}
