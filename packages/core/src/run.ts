import { AsyncResource } from 'node:async_hooks'
import { type Answer, problemAnswer } from './answer.ts'
import { type Deadline, deadlines } from './deadlines.ts'
import { deferred } from './deferred.ts'
import type { Begun } from './engine.ts'
import { OncekeyError } from './errors.ts'
import { abort, contextOf, type HandlerContext, type Handling } from './handler-context.ts'
import { keepLease } from './lease.ts'
import { settle, settleUncollected, undo } from './settlement.ts'
import type { Attempt } from './store.ts'
import type { PlainResponse } from './stored-response.ts'

/** What an adapter does with the response it captured: let it go as it is, or answer this instead. */
export type Verdict = { readonly kind: 'send' } | Answer | Failure

/**
 * A function that is an option of the app's failed after the handler, and everything was undone. `error`
 * is for the framework's error handler; `response` is sent where there is none.
 */
export interface Failure {
  readonly kind: 'failure'
  readonly error: unknown
  readonly response: PlainResponse
}

/** One handler running under one attempt. It ends exactly once: the first end counts, later ones get its verdict. */
export interface Run<Tx = unknown> {
  readonly context: HandlerContext<Tx>
  /** Past this many bytes of a stream an adapter stops collecting and calls `passThrough`; 0 on a route that streams. */
  readonly maxResponseBytes: number
  /** Resolves if the engine ends the run before a response came: answer this, and nothing the handler sends. */
  readonly interrupted: Promise<Answer>
  /** The same without a promise: for one run in a million there is something to say. */
  onInterrupted(listener: (answer: Answer) => void): void
  /** The handler answered, and this is all of it. Resolves after the commit; only then may the first byte leave. Never rejects. */
  complete(response: PlainResponse): Promise<Verdict>
  /**
   * The handler goes on writing and its response is not collected. On a route that streams it is put on
   * record without its body, and may pass through: `send`. On any other it is over the cap and undone:
   * a run is not committed before its handler has ended. Never rejects.
   */
  passThrough(head: Pick<PlainResponse, 'status' | 'headers'>): Promise<Verdict>
  /** The handler will never answer: it threw, or its stream broke. Never rejects. */
  abandon(): Promise<Verdict>
}

/** What a run is started with. */
export type Start<Tx> = Pick<Ending<Tx>, 'options' | 'attempt' | 'question' | 'askAgain' | 'onOver'>

/** A run as the engine's functions see it. */
export interface Running<Tx> extends Handling<Tx> {
  /** Asks once more after the key was lost: what is true of it now? */
  readonly askAgain: (question: Handling<Tx>['question']) => Promise<Begun<Tx>>
  readonly onOver: () => void
  /** The async context of the request, for what the clock of all requests does about this one. */
  scope: AsyncResource | undefined
  deadline: Deadline<Running<Tx>> | undefined
  lease: { stop(): void } | undefined
  ending: Promise<Verdict> | undefined
  interruption: Answer | undefined
  listeners: ((answer: Answer) => void)[]
}

/** One that is asked how it ends, and so has not let go of its attempt yet. */
export interface Ending<Tx> extends Running<Tx> {
  attempt: Attempt<Tx>
}

/** Puts handlers under attempts: each gets its context, its clock, and its one end. */
export function runStarter<Tx>(handlerTimeoutMs: number): (start: Start<Tx>) => Run<Tx> {
  const clock = deadlines<Running<Tx>>(handlerTimeoutMs, (running) => {
    running.scope?.runInAsyncScope(timeOut, undefined, running)
  })

  function startRun({ options, attempt, question, askAgain, onOver }: Start<Tx>): Run<Tx> {
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
      // 0.1 µs, where AsyncLocalStorage.snapshot() takes 35 on Node 20.
      scope: new AsyncResource('oncekey.run', UNTRACKED),
      deadline: undefined,
      lease: undefined,
      ending: undefined,
      interruption: undefined,
      listeners: NOBODY,
    }
    running.deadline = clock.start(running)
    running.lease = keepLease(attempt, options, question, (reason) => abort(running, reason))

    const run = Object.create(ON_DEMAND) as Unfinished<Tx>
    run[RUNNING] = running
    run.maxResponseBytes = options.response === 'stream' ? 0 : options.maxResponseBytes
    run.complete = (response) => end(running, settle, response)
    run.passThrough = (head) => end(running, settleUncollected, head)
    run.abandon = () => end(running, undo, undefined)
    return run
  }

  /**
   * The first end wins: from here on the context is closed and the clock is stopped. The lease is kept until
   * the store is told, because functions of the app are still to be asked, and they may take their time.
   */
  function end<Given>(
    running: Running<Tx>,
    how: (running: Ending<Tx>, given: Given) => Promise<Verdict>,
    given: Given,
  ): Promise<Verdict> {
    if (running.ending !== undefined) return running.ending
    running.open = false
    clock.stop(running.deadline as Deadline<Running<Tx>>)
    running.ending = untilOver(running, how(running as Ending<Tx>, given))
    return running.ending
  }

  function timeOut(running: Running<Tx>): void {
    const { options } = running
    const seconds = options.handlerTimeoutMs / 1000
    const answer = problemAnswer(
      options,
      'handler-timeout',
      `It was given up after ${seconds} s and undone. Send the same request again.`,
    )
    const ended = end(running, giveUp, answer)
    // After the end is taken: what a listener of the signal answers is late.
    abort(
      running,
      new OncekeyError('handler-timeout', `The handler took longer than ${seconds} s.`),
    )
    void ended.then(() => interrupt(running, answer))
  }

  return startRun
}

async function untilOver<Tx>(running: Running<Tx>, ending: Promise<Verdict>): Promise<Verdict> {
  try {
    return await ending
  } finally {
    running.lease?.stop()
    letGo(running)
    running.onOver()
  }
}

/**
 * What is over leads no further. A collection of the young takes what anything old leads to for alive, and
 * makes that old in turn: six kilobytes of every request grew old that way, a third of its processor time.
 */
function letGo<Tx>(running: Running<Tx>): void {
  running.attempt = undefined
  running.question.request = undefined
  running.deadline = undefined
  running.scope = undefined
  // Given up: they are yet to be told.
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
  for (const listener of listeners) listener(answer)
}

/** Nobody is told of its end, so there is nothing to follow it for. */
const UNTRACKED = { requireManualDestroy: true }
const NOBODY: never[] = []
const RUNNING = Symbol('running')

/** What few ask for, and not before they do. On a prototype for the reason given at the context's signal. */
const ON_DEMAND = {
  get context(): HandlerContext<never> {
    return contextOf((this as unknown as Unfinished<never>)[RUNNING])
  },

  get interrupted(): Promise<Answer> {
    const { promise, resolve } = deferred<Answer>()
    ;(this as unknown as Unfinished<never>).onInterrupted(resolve)
    return promise
  },

  onInterrupted(listener: (answer: Answer) => void): void {
    const running = (this as unknown as Unfinished<never>)[RUNNING]
    if (running.interruption !== undefined) listener(running.interruption)
    else if (running.listeners === NOBODY) running.listeners = [listener]
    else running.listeners.push(listener)
  },
}

type Unfinished<Tx> = { -readonly [Part in keyof Run<Tx>]: Run<Tx>[Part] } & {
  [RUNNING]: Running<Tx>
}
