import {
  deriveKey,
  type EmittedEvent,
  type EventLog,
  emittedIds,
  type HeldSlot,
  type Intake,
  isCausedByOne,
  type LoggedEvent,
  OncekeyError,
  type OutboxEvent,
  outboxEvent,
} from '@oncekey/core'
import { type AttemptClock, goOn, stand } from './attempt-clock.ts'
import type { Consumer } from './consumer.ts'
import { type DeliveredEvent, deliveredEvent } from './delivered-event.ts'
import { beginWait, type IntakeWait } from './intake-wait.ts'

/**
 * How an attempt ended. Whatever the consumer does, its attempt ends once, in one of these ways.
 */
export type AttemptOutcome =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'failed'
      readonly error: unknown
      /** Whether the relay made the error, so that it says nothing about the event. */
      readonly isOwn: boolean
    }

/**
 * The state of one attempt. A relay makes up to 50,000 attempts a second, so an attempt is one
 * plain object on which functions work, and its optional parts are created only when the consumer
 * asks for them.
 */
export interface AttemptState<Tx> {
  readonly log: EventLog<Tx>
  readonly consumer: Consumer<Tx>
  readonly events: readonly LoggedEvent[]
  /** The slot of each event, with the epoch under which the relay holds it. */
  readonly slots: readonly HeldSlot[]
  readonly number: number
  readonly end: (outcome: AttemptOutcome) => void
  delivered: readonly DeliveredEvent[] | undefined
  intake: Promise<Intake<Tx>> | undefined
  /** The wait for the intake, while it lasts and if it has failed. */
  intakeWait: IntakeWait | undefined
  emitted: OutboxEvent[] | undefined
  /** Makes the ids of emitted events. Those of a batch are new each time, as its events differ. */
  idOf: ((event: EmittedEvent, data: string) => string) | undefined
  controller: AbortController | undefined
  /** Undefined for a consumer that is synchronous, and until it has returned a promise. */
  clock: AttemptClock | undefined
  /**
   * Set when the attempt has ended, with the reason. What the consumer does after that has no
   * effect.
   */
  over: OncekeyError | undefined
  /** Whether the inbox reports that this consumer has already taken in all of these events. */
  duplicate: boolean
  /** The errors that `transaction()`, `begin()` and `emit()` threw into the consumer. */
  own: Set<unknown> | undefined
}

/** The end of an attempt that failed with `error`. */
export function failedWith<Tx>({ own }: AttemptState<Tx>, error: unknown): AttemptOutcome {
  return { kind: 'failed', error, isOwn: own !== undefined && isCausedByOne(error, own) }
}

export function firstOf<Tx>({ events }: AttemptState<Tx>): DeliveredEvent {
  return deliveredEvent(events[0] as LoggedEvent)
}

export function allOf<Tx>(state: AttemptState<Tx>): readonly DeliveredEvent[] {
  state.delivered ??= state.events.map(deliveredEvent)
  return state.delivered
}

export function signalOf<Tx>(state: AttemptState<Tx>): AbortSignal {
  if (state.controller === undefined) {
    state.controller = new AbortController()
    if (state.over !== undefined) state.controller.abort(state.over)
  }
  return state.controller.signal
}

async function open<Tx>(state: AttemptState<Tx>): Promise<Intake<Tx>> {
  try {
    return await opened(state)
  } catch (error) {
    throw own(state, error)
  }
}

function own<Tx>(state: AttemptState<Tx>, error: unknown): unknown {
  state.own ??= new Set()
  state.own.add(error)
  return error
}

async function opened<Tx>(state: AttemptState<Tx>): Promise<Intake<Tx>> {
  if (state.over !== undefined) throw transactionOver(state.over)
  if (!state.log.capabilities.transactions) throw noTransactions(state.log)
  state.intake ??= takeIn(state)
  const intake = await state.intake
  if (state.over !== undefined) throw transactionOver(state.over)
  return intake
}

async function takeIn<Tx>(state: AttemptState<Tx>): Promise<Intake<Tx>> {
  const intake = await opening(state)
  if (intake.fresh.size > 0) return intake
  state.duplicate = true
  await intake.rollback()
  throw takenIn(state.consumer)
}

/** Waits for the log's transaction. Meanwhile the clock of the attempt stands. */
async function opening<Tx>(state: AttemptState<Tx>): Promise<Intake<Tx>> {
  const { clock, consumer, events, log, slots } = state
  const wait = beginWait()
  state.intakeWait = wait
  if (clock !== undefined) stand(clock)
  try {
    const intake = await log.takeIn({
      consumer: consumer.name,
      eventIds: events.map(({ id }) => id),
      slots: [...new Set(slots)].map(({ slot, epoch }) => ({ slot, epoch })),
      timeoutMs: consumer.attemptTimeoutMs,
      signal: wait.signal,
    })
    state.intakeWait = undefined
    return intake
  } catch (error) {
    wait.failed = { error }
    throw error
  } finally {
    if (state.clock !== undefined && state.over === undefined) goOn(state.clock)
  }
}

export async function transaction<Tx>(state: AttemptState<Tx>): Promise<Tx> {
  return (await open(state)).handle
}

export async function begin<Tx>(
  state: AttemptState<Tx>,
): Promise<{ transaction: Tx; fresh: DeliveredEvent[] }> {
  const { handle, fresh } = await open(state)
  return { transaction: handle, fresh: allOf(state).filter(({ id }) => fresh.has(id)) }
}

export function emit<Tx>(state: AttemptState<Tx>, event: EmittedEvent): void {
  try {
    add(state, event)
  } catch (error) {
    throw own(state, error)
  }
}

function add<Tx>(state: AttemptState<Tx>, event: EmittedEvent): void {
  if (state.over !== undefined) {
    throw new OncekeyError(
      'attempt-over',
      'emit(): the consumer has returned. Call emit() before it does.',
      {
        cause: state.over,
      },
    )
  }
  if (state.consumer.work.kind === 'batch' && state.intake === undefined) {
    throw new OncekeyError(
      'transaction-unsupported',
      'emit(): in handleBatch, call begin() first and emit for the fresh events: emitted events are ' +
        'committed with its transaction.',
    )
  }
  const { id, headers } = firstOf(state)
  const { traceparent } = headers
  const { name, work } = state.consumer
  if (work.kind !== 'batch') state.idOf ??= emittedIds(name, id)
  state.emitted ??= []
  const { idOf } = state
  state.emitted.push(outboxEvent(event, { source: `/${name}`, traceparent, idOf }))
}

export function childKey<Tx>(
  { consumer }: AttemptState<Tx>,
  event: { readonly id: string },
  label: string,
): string {
  return deriveKey({ namespace: 'consumer', scope: consumer.name, key: event.id }, label)
}

function transactionOver(cause: OncekeyError): OncekeyError {
  return new OncekeyError(
    'transaction-over',
    'The consumer has returned, so its transaction is over. Finish all writes before it returns.',
    {
      cause,
    },
  )
}

function noTransactions<Tx>({ capabilities }: EventLog<Tx>): OncekeyError {
  return new OncekeyError(
    'transaction-unsupported',
    `The log "${capabilities.name}" has no transactions: use \`inbox\` of @oncekey/postgres in the database that the consumer writes to.`,
  )
}

function takenIn<Tx>({ name }: Consumer<Tx>): OncekeyError {
  return new OncekeyError(
    'event-taken-in',
    `Consumer "${name}" has taken this event in before: there is nothing left to do. Do not catch this error.`,
  )
}
