import { AsyncResource } from 'node:async_hooks'
import { OncekeyError } from '../errors/errors.ts'
import { messageOf } from '../errors/message-of.ts'
import { warnOfFailure } from '../telemetry/channels.ts'
import { type Deadline, deadlines } from '../time/deadlines.ts'
import { deferred } from '../time/deferred.ts'
import { problemAfterRun } from './answer.ts'
import { complete, completeUncollected } from './completion.ts'
import { abort, contextOf, type HandlerContext } from './handler-context.ts'
import type { Ending, HandlerRun, Running, Start } from './handler-run.ts'
import { keepLease } from './lease.ts'
import type { Answer, RunOutcome } from './outcome.ts'
import { undo, undoAll } from './undo.ts'
import { watchAnswer, watchOver } from './watch-request.ts'

/** Starts handlers under attempts. Each handler gets a context, a timeout, and exactly one end. */
export function runStarter<Tx>(handlerTimeoutMs: number): (start: Start<Tx>) => HandlerRun<Tx> {
  const clock = deadlines<Running<Tx>>(handlerTimeoutMs, (running) => {
    running.scope?.runInAsyncScope(timeOut, undefined, running)
  })

  function startRun({ options, attempt, question, askAgain, onOver }: Start<Tx>): HandlerRun<Tx> {
    const running: Running<Tx> = {
      options,
      number: attempt.number,
      attempt,
      question,
      askAgain,
      onOver,
      events: [],
      open: true,
      wish: undefined,
      aborted: undefined,
      busy: undefined,
      controller: undefined,
      context: undefined,
      // An AsyncResource costs 0.1 µs; AsyncLocalStorage.snapshot() costs 35 µs on Node 20.
      scope: new AsyncResource('oncekey.run', UNTRACKED),
      deadline: undefined,
      lease: undefined,
      ending: undefined,
      undecided: undefined,
      interruption: undefined,
      listeners: NOBODY,
    }
    running.deadline = clock.start(running)
    running.lease = keepLease(attempt, options, question, (reason) => abort(running, reason))

    const run = Object.create(ON_DEMAND) as Unfinished<Tx>
    run[RUNNING] = running
    run.maxResponseBytes = options.response === 'stream' ? 0 : options.maxResponseBytes
    run.complete = (response) => end(running, complete, response, response.status)
    run.passThrough = (head) => end(running, completeUncollected, head, head.status)
    run.abandon = () => end(running, undoAll, undefined, undefined)
    return run
  }

  /**
   * The first end wins: it closes the context and stops the timeout. The lease is kept until the
   * store is called, because options of the app that are functions run in between and may take
   * their time. `status` is that of the handler's response, if there is one.
   */
  function end<Given>(
    running: Running<Tx>,
    how: (running: Ending<Tx>, given: Given) => Promise<RunOutcome>,
    given: Given,
    status: number | undefined,
  ): Promise<RunOutcome> {
    if (running.ending !== undefined) return running.ending
    if (running.wish === undefined) running.undecided?.(status)
    running.open = false
    clock.stop(running.deadline as Deadline<Running<Tx>>)
    if (running.question.watched !== undefined) watchAnswer(running.question.watched)
    running.ending = untilOver(running, how(running as Ending<Tx>, given))
    return running.ending
  }

  function timeOut(running: Running<Tx>): void {
    const { options, question } = running
    const seconds = options.handlerTimeoutMs / 1000
    // In lease mode what it did outside of a transaction is not undone.
    const and = options.store.capabilities.mode === 'transaction' ? ' and undone' : ''
    const what = `It was given up after ${seconds} s${and}.`
    const again = 'Send the same request again.'
    const answer = problemAfterRun(options, question, 'handler-timeout', what, again)
    // The handler is still running. It said `release()` of the moment at which it would answer, and
    // has gone on since it got no connection.
    if (running.wish === 'release') running.wish = undefined
    running.busy = undefined
    const ended = end(running, giveUp, answer, undefined)
    // Aborted only after `end` has claimed the run, so that an answer sent from an abort listener
    // is late.
    abort(
      running,
      new OncekeyError('handler-timeout', `The handler took longer than ${seconds} s.`),
    )
    void ended.then(() => interrupt(running, answer))
  }

  return startRun
}

async function untilOver<Tx>(
  running: Running<Tx>,
  ending: Promise<RunOutcome>,
): Promise<RunOutcome> {
  try {
    const outcome = await ending
    // Something else is sent than what the handler answered, or was still writing.
    if (outcome.kind !== 'send') abort(running, new OncekeyError('attempt-over', REPLACED))
    const { question } = running
    if (question.watched !== undefined) watchOver(question.watched, question, outcome)
    return outcome
  } finally {
    running.lease?.stop()
    dropReferences(running)
    running.onOver()
  }
}

/**
 * A finished run drops its references so that V8 can collect them while they are young. A scavenge
 * keeps whatever an old object refers to and promotes it. Without this, 6 KB of every request grow
 * old, and collecting them takes a third of the request's processor time.
 */
function dropReferences<Tx>(running: Running<Tx>): void {
  running.attempt = undefined
  running.question.request = undefined
  running.deadline = undefined
  running.scope = undefined
  running.undecided = undefined
  // A run that timed out still has to call its listeners.
  if (running.interruption === undefined) running.listeners = NOBODY
}

async function giveUp<Tx>(running: Ending<Tx>, answer: Answer): Promise<Answer> {
  await undo(running, undefined)
  running.interruption = answer
  return answer
}

function interrupt<Tx>(running: Running<Tx>, answer: Answer): void {
  const { listeners } = running
  running.listeners = NOBODY
  for (const listener of listeners) {
    try {
      listener(answer)
    } catch (error) {
      // Nobody else would get it, and as a rejection it would end the process.
      warnOfFailure(
        'interrupt',
        `The 503 of a handler that took too long may not have been sent: ${messageOf(error)}`,
      )
    }
  }
}

const REPLACED =
  'The response of the handler could not be kept, so another answer was sent: nothing that is done from here on is kept.'

/**
 * Async hooks are not told when a run ends, so the garbage collector need not track the resource.
 */
const UNTRACKED = { requireManualDestroy: true }
const NOBODY: never[] = []
const RUNNING = Symbol('running')

/**
 * Created lazily, because most handlers never use them. The getters are on a prototype because a
 * getter in an object literal gives every object a hidden class of its own; for the handler's
 * context that costs 1.5 µs a request.
 */
const ON_DEMAND = {
  get context(): HandlerContext<never> {
    return contextOf((this as unknown as Unfinished<never>)[RUNNING])
  },

  get interrupted(): Promise<Answer> {
    const { promise, resolve } = deferred<Answer>()
    ;(this as unknown as Unfinished<never>).onInterrupted(resolve)
    return promise
  },

  onUndecided(listener: (status: number | undefined) => void): void {
    ;(this as unknown as Unfinished<never>)[RUNNING].undecided = listener
  },

  onInterrupted(listener: (answer: Answer) => void): void {
    const running = (this as unknown as Unfinished<never>)[RUNNING]
    if (running.interruption !== undefined) listener(running.interruption)
    else if (running.listeners === NOBODY) running.listeners = [listener]
    else running.listeners.push(listener)
  },
}

type Unfinished<Tx> = { -readonly [Part in keyof HandlerRun<Tx>]: HandlerRun<Tx>[Part] } & {
  [RUNNING]: Running<Tx>
}
