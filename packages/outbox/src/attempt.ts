import {
  deriveKey,
  type EmittedEvent,
  type EventLog,
  type Intake,
  type LoggedEvent,
  OncekeyError,
  type OutboxEvent,
  outboxEvent,
  tell,
} from '@oncekey/core'
import type { BatchContext, Consumer, ConsumerContext } from './consumer.ts'
import { type DeliveredEvent, deliveredEvent } from './delivered-event.ts'

/** How a try ended. Whatever a consumer does, it ends in one of these, once. */
export type AttemptOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: unknown }

export interface Attempt {
  /** Ends it from outside: its signal aborts and nothing it does is kept any more. */
  abort(reason: OncekeyError): void
}

/**
 * Tries to hand events to a consumer: one, or as many as its batch has. `end` is called once, and not
 * later than the attempt's timeout and the commit that may follow; before this function returns, if
 * the consumer had nothing to wait for.
 */
export function startAttempt<Tx>(
  log: EventLog<Tx>,
  consumer: Consumer<Tx>,
  events: readonly LoggedEvent[],
  attempt: number,
  end: (outcome: AttemptOutcome) => void,
): Attempt {
  const run: Run<Tx> = {
    log,
    consumer,
    events,
    number: attempt,
    end,
    delivered: undefined,
    intake: undefined,
    emitted: undefined,
    controller: undefined,
    timer: undefined,
    over: undefined,
    duplicate: false,
  }
  start(run)
  return { abort: (reason) => abort(run, reason) }
}

/** Functions on one object of state: there may be 50,000 a second, and what is not asked for is not made. */
interface Run<Tx> {
  readonly log: EventLog<Tx>
  readonly consumer: Consumer<Tx>
  readonly events: readonly LoggedEvent[]
  readonly number: number
  readonly end: (outcome: AttemptOutcome) => void
  delivered: readonly DeliveredEvent[] | undefined
  intake: Promise<Intake<Tx>> | undefined
  emitted: OutboxEvent[] | undefined
  controller: AbortController | undefined
  timer: NodeJS.Timeout | undefined
  /** Why nothing is kept any more. */
  over: OncekeyError | undefined
  /** All of it had been taken in before. */
  duplicate: boolean
}

function start<Tx>(run: Run<Tx>): void {
  let result: unknown
  try {
    result = call(run)
  } catch (error) {
    fail(run, error)
    return
  }
  try {
    if (!isThenable(result)) {
      succeed(run)
      return
    }
  } catch (error) {
    // A `then` that throws when it is looked at.
    fail(run, error)
    return
  }
  const { consumer } = run
  run.timer = setTimeout(() => abort(run, tooSlow(consumer)), consumer.attemptTimeoutMs)
  // What is a promise by its `then` alone may throw there, or answer twice.
  Promise.resolve(result).then(
    () => succeed(run),
    (error) => fail(run, error),
  )
}

function call<Tx>(run: Run<Tx>): unknown {
  const { work } = run.consumer
  if (work.kind === 'batch') return work.handleBatch(batchContext(run))
  const context: Unfinished<ConsumerContext<Tx>> = Object.create(EACH)
  context[RUN] = run as Run<unknown>
  context.event = firstOf(run)
  context.attempt = run.number
  return work.handle(context)
}

function abort<Tx>(run: Run<Tx>, reason: OncekeyError): void {
  if (run.over !== undefined) return
  close(run, reason)
  run.controller?.abort(reason)
  void rollBack(run)
  run.end({ kind: 'failed', error: reason })
}

function succeed<Tx>(run: Run<Tx>): void {
  if (run.over !== undefined) return
  close(run, ENDED)
  if (run.intake === undefined && run.emitted === undefined) {
    run.end(DONE)
    return
  }
  commit(run).then(
    () => run.end(DONE),
    (error) => run.end(run.duplicate ? DONE : { kind: 'failed', error }),
  )
}

function fail<Tx>(run: Run<Tx>, error: unknown): void {
  if (run.over !== undefined) return
  close(run, ENDED)
  if (run.intake === undefined) run.end({ kind: 'failed', error })
  // What it threw because there was nothing left to do is no failure.
  else rollBack(run).then(() => run.end(run.duplicate ? DONE : { kind: 'failed', error }))
}

function close<Tx>(run: Run<Tx>, reason: OncekeyError): void {
  run.over = reason
  clearTimeout(run.timer)
}

async function commit<Tx>(run: Run<Tx>): Promise<void> {
  const { consumer, emitted = [], events, intake, log } = run
  if (intake !== undefined) await (await intake).commit(emitted)
  else {
    const { id: eventId } = events[0] as LoggedEvent
    await log.emit({ consumer: consumer.name, eventId, events: emitted })
  }
  if (emitted.length > 0) tell('oncekey:appended', () => ({ count: emitted.length }))
}

/** Never rejects. An intake that is still being opened is rolled back when it is open. */
async function rollBack<Tx>(run: Run<Tx>): Promise<void> {
  const intake = await run.intake?.catch(() => undefined)
  await intake?.rollback()
}

function firstOf<Tx>({ events }: Run<Tx>): DeliveredEvent {
  return deliveredEvent(events[0] as LoggedEvent)
}

function allOf<Tx>(run: Run<Tx>): readonly DeliveredEvent[] {
  run.delivered ??= run.events.map(deliveredEvent)
  return run.delivered
}

function signalOf<Tx>(run: Run<Tx>): AbortSignal {
  if (run.controller === undefined) {
    run.controller = new AbortController()
    if (run.over !== undefined) run.controller.abort(run.over)
  }
  return run.controller.signal
}

async function open<Tx>(run: Run<Tx>): Promise<Intake<Tx>> {
  if (run.over !== undefined) throw transactionOver(run.over)
  if (!run.log.capabilities.transactions) throw noTransactions(run.log)
  run.intake ??= takeIn(run)
  const intake = await run.intake
  if (run.over !== undefined) throw transactionOver(run.over)
  return intake
}

async function takeIn<Tx>(run: Run<Tx>): Promise<Intake<Tx>> {
  const { consumer, events, log } = run
  const intake = await log.takeIn({
    consumer: consumer.name,
    eventIds: events.map(({ id }) => id),
    timeoutMs: consumer.attemptTimeoutMs,
  })
  if (intake.fresh.size > 0) return intake
  run.duplicate = true
  await intake.rollback()
  throw takenIn(consumer)
}

async function transaction<Tx>(run: Run<Tx>): Promise<Tx> {
  return (await open(run)).handle
}

async function begin<Tx>(run: Run<Tx>): Promise<{ transaction: Tx; fresh: DeliveredEvent[] }> {
  const { handle, fresh } = await open(run)
  return { transaction: handle, fresh: allOf(run).filter(({ id }) => fresh.has(id)) }
}

function emit<Tx>(run: Run<Tx>, event: EmittedEvent): void {
  if (run.over !== undefined) {
    throw new OncekeyError('attempt-over', 'emit(): the consumer has ended; call it before that.', {
      cause: run.over,
    })
  }
  if (run.consumer.work.kind === 'batch' && run.intake === undefined) {
    throw new OncekeyError(
      'transaction-unsupported',
      'emit(): in handleBatch, ask for begin() first and emit for what is fresh: the transaction is ' +
        'what the events are committed with.',
    )
  }
  const { traceparent } = firstOf(run).headers
  run.emitted ??= []
  run.emitted.push(outboxEvent(event, { source: `/${run.consumer.name}`, traceparent }))
}

function childKey<Tx>(
  { consumer }: Run<Tx>,
  event: { readonly id: string },
  label: string,
): string {
  return deriveKey({ namespace: 'consumer', scope: consumer.name, key: event.id }, label)
}

const DONE: AttemptOutcome = { kind: 'done' }

const RUN = Symbol('run')

type Unfinished<Whole> = { -readonly [Part in keyof Whole]: Whole[Part] } & {
  [RUN]: Run<unknown>
}

/** Getters that make a function when it is asked for: consumers take what they use out of the context. */
const EACH = {
  get traceparent(): string | undefined {
    return firstOf(runOf(this)).headers.traceparent
  },
  get signal(): AbortSignal {
    return signalOf(runOf(this))
  },
  get transaction(): () => Promise<unknown> {
    const run = runOf(this)
    return () => transaction(run)
  },
  get emit(): (event: EmittedEvent) => void {
    const run = runOf(this)
    return (event) => emit(run, event)
  },
  get deriveKey(): (label: string) => string {
    const run = runOf(this)
    return (label) => childKey(run, run.events[0] as LoggedEvent, label)
  },
}

function runOf(context: unknown): Run<unknown> {
  return (context as { [RUN]: Run<unknown> })[RUN]
}

function batchContext<Tx>(run: Run<Tx>): BatchContext<Tx> {
  return {
    events: allOf(run),
    attempt: run.number,
    get signal() {
      return signalOf(run)
    },
    begin: () => begin(run),
    emit: (event) => emit(run, event),
    deriveKey: (event, label) => childKey(run, event, label),
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function tooSlow<Tx>({ name, attemptTimeoutMs }: Consumer<Tx>): OncekeyError {
  return new OncekeyError(
    'delivery-timeout',
    `Consumer "${name}" took longer than ${attemptTimeoutMs} ms (attemptTimeoutMs).`,
  )
}

function transactionOver(cause: OncekeyError): OncekeyError {
  return new OncekeyError(
    'transaction-over',
    'The consumer has ended, and its transaction with it.',
    {
      cause,
    },
  )
}

function noTransactions<Tx>({ capabilities }: EventLog<Tx>): OncekeyError {
  return new OncekeyError(
    'transaction-unsupported',
    `The log "${capabilities.name}" has no transactions: use \`inbox\` of @oncekey/postgres where the consumer writes.`,
  )
}

function takenIn<Tx>({ name }: Consumer<Tx>): OncekeyError {
  return new OncekeyError(
    'event-taken-in',
    `Consumer "${name}" has taken this event in before: there is nothing left to do. Let this through.`,
  )
}

const ENDED = new OncekeyError('attempt-over', 'The consumer has returned.')
