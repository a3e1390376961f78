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

/** What `handle` is given for one event. */
export function eachContext<Tx>(state: AttemptState<Tx>): ConsumerContext<Tx> {
  const context: Unfinished<ConsumerContext<Tx>> = Object.create(EACH)
  context[STATE] = state as AttemptState<unknown>
  context.event = firstOf(state)
  context.attempt = state.number
  return context
}

/** What `handleBatch` is given for many events. */
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
 * The prototype of every context. Its getters create a function when the consumer takes it out of
 * the context, so that a consumer pays only for what it uses.
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
