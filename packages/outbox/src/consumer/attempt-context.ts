import type { EmittedEvent, LoggedEvent } from '@oncekey/core'
import {
  type AttemptState,
  allOf,
  begin,
  childKey,
  emit,
  firstOf,
  signalOf,
  transaction,
} from './attempt-state.ts'
import type { BatchContext, ConsumerContext } from './consumer.ts'

/** The context that `handle` gets for one event. */
export function eachContext<Tx>(state: AttemptState<Tx>): ConsumerContext<Tx> {
  const context: Unfinished<ConsumerContext<Tx>> = Object.create(EACH)
  context[STATE] = state as AttemptState<unknown>
  context.event = firstOf(state)
  context.attempt = state.number
  return context
}

/** The context that `handleBatch` gets for its events. */
export function batchContext<Tx>(state: AttemptState<Tx>): BatchContext<Tx> {
  return {
    events: allOf(state),
    attempt: state.number,
    get signal() {
      return signalOf(state)
    },
    begin: () => begin(state),
    emit: (event) => emit(state, event),
    deriveKey: (event, label) => childKey(state, event, label),
  }
}

const STATE = Symbol('state')

type Unfinished<Whole> = { -readonly [Part in keyof Whole]: Whole[Part] } & {
  [STATE]: AttemptState<unknown>
}

/**
 * The prototype of every context. A getter creates its function only when the consumer reads that
 * property, so a consumer pays only for what it uses.
 */
const EACH = {
  get traceparent(): string | undefined {
    return firstOf(stateOf(this)).headers.traceparent
  },
  get signal(): AbortSignal {
    return signalOf(stateOf(this))
  },
  get transaction(): () => Promise<unknown> {
    const state = stateOf(this)
    return () => transaction(state)
  },
  get emit(): (event: EmittedEvent) => void {
    const state = stateOf(this)
    return (event) => emit(state, event)
  },
  get deriveKey(): (label: string) => string {
    const state = stateOf(this)
    return (label) => childKey(state, state.events[0] as LoggedEvent, label)
  },
}

function stateOf(context: unknown): AttemptState<unknown> {
  return (context as { [STATE]: AttemptState<unknown> })[STATE]
}
