import {
  callLater,
  deriveKey,
  OncekeyError,
  type OutboxEvent,
  outboxEvent,
  sleep,
} from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import type { CompensationContext } from '../definition/step.ts'
import type { Action } from '../run/next-action.ts'
import type { Run } from '../run/run.ts'
import { asStep } from '../state/concurrency-limit.ts'
import { firstAbort } from '../state/first-abort.ts'
import type { Held } from '../state/leases.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { ownCopies } from './own-copies.ts'
import type { StepTransaction } from './step-transaction.ts'

/** One call of a step's function, which may still be running when the attempt is over. */
export interface Call {
  isRunning: boolean
  /**
   * The errors that the runner itself made in this call: by which it ended the attempt, or which
   * the function got from `transaction()` and `emit()` and may have let through.
   */
  readonly own: Set<unknown>
}

/**
 * Calls the step's function, until it returns, the time limit expires, or the run is lost. After
 * the time limit the function gets up to a second to return. After a cancellation or a stop the
 * runner waits for the function, so that everything it does is done before the step is undone, or
 * repeated elsewhere.
 */
export async function callStep<Tx>(
  runner: RunnerState<Tx>,
  { name }: Definition,
  held: Held,
  run: Run,
  action: Action,
  transaction: StepTransaction<Tx>,
  events: OutboxEvent[],
  calling: Call,
): Promise<unknown> {
  const { step, direction, position, attempt } = action
  const timeout = new AbortController()
  const over = firstAbort([held.lostSignal, held.givenUpSignal, timeout.signal])
  const asked = firstAbort([over.signal, held.endSignal])
  const { signal } = asked
  const timer = callLater(() => timeout.abort(timedOut(action)), step.timeoutMs)
  let isOpen = true
  let running: Promise<unknown> | undefined
  const label = direction === 'run' ? step.name : `compensate ${step.name}`
  const copies = ownCopies(run, position)
  const isOwn = (error: unknown): never => {
    calling.own.add(error)
    throw error
  }

  const context: CompensationContext<unknown, unknown, unknown, unknown> = {
    get input() {
      return copies.input()
    },
    get state() {
      return copies.state()
    },
    get result() {
      return copies.result()
    },
    runId: run.id,
    attempt,
    signal,
    idempotencyKey: deriveKey({ namespace: 'saga', scope: run.saga, key: run.id }, label),
    transaction: () => transaction.open().catch(isOwn),
    emit(event) {
      try {
        if (!isOpen) throw attemptOver()
        const source = runner.eventSource ?? `/saga/${name}`
        events.push(outboxEvent(event, { source, traceparent: run.traceparent }))
      } catch (error) {
        isOwn(error)
      }
    },
  }
  try {
    signal.throwIfAborted()
    const call = direction === 'run' ? step.run : step.compensate
    calling.isRunning = true
    running = asStep(async () => call?.(context))
    const returned = () => {
      calling.isRunning = false
    }
    running.then(returned, returned)
    return await Promise.race([running, rejected(over.signal)])
  } catch (error) {
    for (const { aborted, reason } of [signal, over.signal]) if (aborted) calling.own.add(reason)
    const isGone = held.lostSignal.aborted || held.givenUpSignal.aborted
    if (timeout.signal.aborted && !isGone)
      await endOf(running, Math.min(step.timeoutMs, RETURN_MS), held)
    throw error
  } finally {
    isOpen = false
    timer.cancel()
    asked.release()
    over.release()
  }
}

/**
 * After the time limit, waits for the function to return, so that it does not overlap with a retry
 * or its compensation.
 */
async function endOf(
  running: Promise<unknown> | undefined,
  ms: number,
  { lostSignal, givenUpSignal }: Held,
): Promise<void> {
  const patience = new AbortController()
  const stopped = firstAbort([patience.signal, lostSignal, givenUpSignal])
  await Promise.race([running?.catch(() => {}), sleep(ms, stopped.signal)])
  patience.abort()
  stopped.release()
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function timedOut({ step, direction }: Action): Error {
  const what = direction === 'run' ? `Step "${step.name}"` : `The compensation of "${step.name}"`
  return new OncekeyError('handler-timeout', `${what} took longer than ${step.timeoutMs} ms.`)
}

function attemptOver(): OncekeyError {
  return new OncekeyError(
    'attempt-over',
    'emit(): the attempt has ended. Call emit() before the step returns.',
  )
}

/** How long a function may take to return after its time limit. Milliseconds. */
const RETURN_MS = 1_000
