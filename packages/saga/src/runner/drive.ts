import { sleep } from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import { lostError } from '../run/lost-error.ts'
import { beginStep, ended, failed, givenBackBefore, isToBegin, type Move } from '../run/move.ts'
import { nextAction } from '../run/next-action.ts'
import { type Run, runOf } from '../run/run.ts'
import type { Held } from '../state/leases.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { ANY } from '../state/suspects.ts'
import type { RunJson } from '../statements/run-json.ts'
import type { FoundRunJson } from '../statements/runs.ts'
import { reportError, tell } from '../telemetry/channels.ts'
import { type Attempted, attemptStep } from './attempt.ts'
import { type KeptEnd, keptFor } from './kept-end.ts'
import { raiseAlert } from './raise-alert.ts'
import { stepTransaction, type Written } from './step-transaction.ts'

/** A run that this process has claimed or started. */
export interface Taken {
  readonly json: RunJson
  /** When the query was sent, by `performance.now()`. */
  readonly askedAt: number
}

/**
 * Drives a run until it ends, has to wait, or needs an operator. Never rejects: errors are
 * reported, and another process continues the run.
 */
export function drive<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  taken: Taken,
): Promise<void> {
  const { id } = taken.json
  runner.suspects.driven(taken.json)
  const driving = driveToEnd(runner, definition, taken)
    .catch((error) => reportError({ error, during: 'drive', runId: id }))
    .finally(() => {
      if (runner.driving.get(id) === driving) {
        runner.driving.delete(id)
        runner.suspects.cleared(id)
      }
    })
  runner.driving.set(id, driving)
  return driving
}

async function driveToEnd<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  first: Taken,
): Promise<void> {
  let taken: Taken | undefined = first
  let kept: KeptEnd | undefined
  // The loop repeats after a cancellation, and after a commit whose reply was lost or which the
  // server has refused, because the recorded state has to be read again.
  for (let doubts = 0; taken !== undefined; doubts++) {
    taken = await unlessParked(runner, taken)
    if (taken === undefined) return
    const { id, epoch, move }: RunJson = taken.json
    const run = runOf(taken.json)
    const { askedAt }: Taken = taken
    const held = runner.leases.hold({ id, epoch, move, state: run.state, askedAt })
    taken = undefined
    try {
      const stopped = await forward(runner, definition, held, run, kept)
      kept = undefined
      if (stopped?.kind === 'lost') {
        runner.unanswered.keep(id)
        tell('oncekey:saga-lost', () => ({ runId: id, saga: run.saga }))
      }
      if (stopped?.kind === 'cancelled') {
        // The cancellation has recorded what has to be undone, so the run is read again.
        taken = await retake(runner, id, epoch)
        doubts -= 1
      }
      if (stopped?.kind === 'in-doubt') {
        reportError({ error: stopped.error, during: 'drive', runId: id })
        kept = stopped.kept
        if (doubts < MAX_DOUBTS && !held.lostSignal.aborted) {
          taken = await (kept === undefined
            ? retake(runner, id, epoch)
            : retakeWhileHeld(runner, held))
          if (taken === undefined) await tellIfOnRecord(runner, stopped.move)
        }
      }
    } finally {
      held.stopRenewing()
    }
  }
}

/**
 * A run that waits for an operator is parked again, and not driven: a renewal by a process of the
 * release before, which came after the run was parked, has made it due. If an operator has acted on
 * it meanwhile, it is read again.
 */
async function unlessParked<Tx>(
  runner: RunnerState<Tx>,
  taken: Taken | undefined,
): Promise<Taken | undefined> {
  if (taken === undefined) return undefined
  const { id, epoch, move, state } = taken.json
  if (state === 'running' || state === 'compensating') return taken
  const { client, statements, acquireTimeoutMs: timeoutMs } = runner
  const parked = await client.query(statements.parkAgain({ id, epoch, move }), { timeoutMs })
  return parked.length > 0 ? undefined : unlessParked(runner, await retake(runner, id, epoch))
}

/** Takes one action after another. Returns why it stopped early, or undefined. */
async function forward<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  held: Held,
  start: Run,
  kept: KeptEnd | undefined,
): Promise<Exclude<Attempted, { kind: 'moved' }> | undefined> {
  let run = start
  let ofFirst = kept
  for (;;) {
    const action = nextAction(definition, run)
    let move: Move
    if (action === undefined) {
      move = ended(run)
    } else if (runner.draining && keptFor(ofFirst, action) === undefined) {
      move = givenBackBefore(run, action)
    } else if (run.lost >= runner.maxLost) {
      const error = lostError(action.step.name, run.lost)
      move = failed(definition, run, action, {
        error,
        durationMs: 0,
        kind: 'poison',
        hadNoEffect: false,
      })
    } else if (isToBegin(run, action)) {
      move = beginStep(definition, run, action)
    } else {
      const attempted = await attemptStep(runner, definition, held, run, action, ofFirst)
      ofFirst = undefined
      if (attempted.kind !== 'moved') return attempted
      if (!goesOn(runner, attempted.move)) return undefined
      run = attempted.move.run
      continue
    }
    const written = await write(runner, held, move)
    if (written.kind === 'refused' || written.kind === 'in-doubt') {
      return { kind: 'in-doubt', error: written.error, move }
    }
    if (written.kind !== 'written') return written
    if (!goesOn(runner, move)) return undefined
    run = move.run
  }
}

/** Records a move that does not come from an attempt. */
function write<Tx>(runner: RunnerState<Tx>, held: Held, move: Move): Promise<Written> {
  return stepTransaction(runner, held, NO_STEP).commit(move, [])
}

const NO_STEP = { timeoutMs: 0 }

function goesOn<Tx>(runner: RunnerState<Tx>, move: Move): boolean {
  const { run, course, json } = move
  runner.suspects.cleared(run.id)
  const state = json.run?.state
  if (course === 'ended' && (state === 'completed' || state === 'compensated')) {
    tell('oncekey:saga-end', () => ({
      runId: run.id,
      saga: run.saga,
      version: run.version,
      state,
    }))
  }
  if (course === 'parked') raiseAlert(runner, move)
  return course === 'go-on'
}

/**
 * A move that ended or parked the run got no answer, and may be on record all the same: then it is
 * told now.
 */
async function tellIfOnRecord<Tx>(runner: RunnerState<Tx>, move: Move): Promise<void> {
  const state = move.json.run?.state
  if (move.course !== 'ended' && move.course !== 'parked') return
  const { client, statements, acquireTimeoutMs: timeoutMs } = runner
  const [row] = await client.query(statements.findRun(move.run.id), { timeoutMs })
  const found: FoundRunJson | undefined = row && JSON.parse(row.run)
  if (found?.state === state) goesOn(runner, move)
}

async function retake<Tx>(
  { client, statements, node, leaseMs, acquireTimeoutMs, unanswered }: RunnerState<Tx>,
  id: string,
  epoch: number,
): Promise<Taken | undefined> {
  const statement = statements.takeRun({ id, epoch, owner: node, leaseMs, ...ANY })
  const taken = await unanswered.taking(id, () =>
    client.query(statement, { timeoutMs: acquireTimeoutMs }),
  )
  const run = taken?.answer[0]?.run
  return taken === undefined || run == null
    ? undefined
    : { json: JSON.parse(run), askedAt: taken.askedAt }
}

/**
 * Takes the run again for an end that is kept. The database may be restarting, or the pool may be
 * used up: it is asked until it answers, for as long as the run is held.
 */
async function retakeWhileHeld<Tx>(
  runner: RunnerState<Tx>,
  { id, epoch, lostSignal }: Held,
): Promise<Taken | undefined> {
  for (let waitMs = 100; ; waitMs = Math.min(2 * waitMs, MOST_WAIT_MS)) {
    try {
      return await retake(runner, id, epoch)
    } catch (error) {
      await sleep(waitMs * (0.5 + Math.random()), lostSignal)
      if (lostSignal.aborted || runner.stopping) throw error
    }
  }
}

const MOST_WAIT_MS = 1_000

/**
 * After this many commits that were refused or got no reply the run is left alone: its lease ends,
 * and another process takes it.
 */
const MAX_DOUBTS = 3
