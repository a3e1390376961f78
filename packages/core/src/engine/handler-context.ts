import { randomUUID } from 'node:crypto'
import { type EmittedEvent, type OutboxEvent, outboxEvent } from '../contracts/events/event.ts'
import type { Attempt } from '../contracts/store.ts'
import { OncekeyError } from '../errors/errors.ts'
import { deriveKey } from '../request/derive-key.ts'
import { currentTraceparent } from '../telemetry/trace-context.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'

/**
 * What a handler gets. It is the same on every adapter and store, with a key or without, so handler
 * code never branches on whether a key came. After the response has ended, every member throws
 * except `key`, `scope`, `attempt`, `traceparent`, `signal` and `deriveKey`.
 */
export interface HandlerContext<Tx = unknown> {
  /** The client's key; `undefined` if none came, on a route that does not require one. */
  readonly key: string | undefined
  readonly scope: string
  /** 1 for the first attempt, 2 after a takeover, and so on. */
  readonly attempt: number
  /**
   * The request's W3C Trace Context, where it sent one. `emit` writes it on events, unless a trace
   * is active (`provideTraceparent`).
   */
  readonly traceparent: string | undefined
  /**
   * Aborts when the handler has timed out, its lease is lost, its request was answered and undone,
   * as by a timeout of the framework, or its response, also a stream that it still writes, could
   * not be kept and was replaced by another answer. The handler should stop, because nothing that
   * it does from then on is kept.
   */
  readonly signal: AbortSignal
  /**
   * The transaction that commits with the response. Later use throws `transaction-over`.
   *
   * @example
   * ```ts
   * const tx = await transaction()
   * await tx.query('insert into orders (id) values ($1)', [id])
   * ```
   */
  transaction(): Promise<Tx>
  /** Adds an event. It is written by the statement that stores the response, or not at all. */
  emit(event: EmittedEvent): void
  /**
   * Keeps writes and events whatever the status of the response. Example: the ledger row of a
   * declined payment.
   */
  keep(): void
  /**
   * Frees the key whatever the response is, so that a retry runs again. Only for a handler that has
   * done nothing outside the store. A handler that takes too long is still running, so its timeout
   * does not free the key in lease mode.
   */
  release(): void
  /** Derives a key for a call to another service, the same on every attempt of this request. */
  deriveKey(label: string): string
}

/** The part of a run's state that its handler's context reads and changes. */
export interface Handling<Tx> {
  readonly options: ResolvedOptions<Tx>
  /** The number of the attempt, from 1. */
  readonly number: number
  /** Set to `undefined` when the run ends. */
  attempt: Attempt<Tx> | undefined
  readonly question: Question
  /** The events that the handler emitted. */
  readonly events: OutboxEvent[]
  /** True until the response has ended. */
  open: boolean
  /** What the handler asked for with `keep()` or `release()`. */
  wish: 'keep' | 'release' | undefined
  aborted: OncekeyError | undefined
  /**
   * Set when no connection was free for the transaction, until the handler goes on with something
   * else. If it fails with that, it is no fault of its own, and the key is released.
   */
  busy: OncekeyError | undefined
  controller: AbortController | undefined
  context: HandlerContext<Tx> | undefined
}

/**
 * Returns the handler's context. It is created on first use, because its closures cost more than a
 * claim.
 */
export function contextOf<Tx>(handling: Handling<Tx>): HandlerContext<Tx> {
  handling.context ??= handlerContext(handling)
  return handling.context
}

/** Aborts the handler's signal. A signal that is created later starts out aborted. */
export function abort<Tx>(handling: Handling<Tx>, reason: OncekeyError): void {
  handling.aborted ??= reason
  handling.controller?.abort(reason)
}

function handlerContext<Tx>(handling: Handling<Tx>): HandlerContext<Tx> {
  const { options, question, events } = handling
  const { facts } = question
  let ownKey = facts.key

  function signal(): AbortSignal {
    if (handling.controller === undefined) {
      handling.controller = new AbortController()
      if (handling.aborted !== undefined) handling.controller.abort(handling.aborted)
    }
    return handling.controller.signal
  }

  async function transaction(): Promise<Tx> {
    const { attempt } = handling
    if (!handling.open || attempt === undefined) {
      throw new OncekeyError(
        'transaction-over',
        'transaction(): the response has ended, and the transaction with it.',
      )
    }
    if (options.response === 'stream') {
      throw new OncekeyError(
        'transaction-unsupported',
        "transaction(): this route says response: 'stream', so it is on record before its first byte. Answer with a buffered response where writes must commit with it.",
      )
    }
    try {
      const transaction = await attempt.transaction()
      handling.busy = undefined
      return transaction
    } catch (error) {
      if (error instanceof OncekeyError && error.code === 'store-busy') failsFor(handling, error)
      throw error
    }
  }

  function emit(event: EmittedEvent): void {
    assertOpen('emit')
    const traceparent = currentTraceparent(question.traceparent)
    events.push(outboxEvent(event, { source: options.eventSource, traceparent }))
  }

  function keep(): void {
    assertOpen('keep')
    handling.wish = 'keep'
  }

  function release(): void {
    assertOpen('release')
    handling.wish = 'release'
  }

  function childKey(label: string): string {
    // Without a client's key there is no other attempt to agree with, so the request gets a random
    // one.
    ownKey ??= randomUUID()
    return deriveKey({ ...facts, key: ownKey }, label)
  }

  function assertOpen(verb: string): void {
    if (handling.open) return
    throw new OncekeyError(
      'attempt-over',
      options.response === 'stream'
        ? `${verb}(): this route says response: 'stream', so it is on record since its first byte or flushHeaders(). Call it before either.`
        : `${verb}(): the response has ended; call it before answering.`,
    )
  }

  const context = Object.create(SIGNAL_ON_DEMAND) as Unfinished<HandlerContext<Tx>>
  context[MAKE_SIGNAL] = signal
  context.key = facts.key
  context.scope = facts.scope
  context.attempt = handling.number
  context.traceparent = question.traceparent
  context.transaction = transaction
  context.emit = emit
  context.keep = keep
  context.release = release
  context.deriveKey = childKey
  return context
}

/**
 * A handler that lets the error through has failed within the same turn of the event loop, and so
 * has been answered for by whoever catches errors. One that waits for anything else first has
 * caught the error and gone on, perhaps to a service that took its money, and may be running still:
 * a later end, by whomever, is no failure for want of a connection. Nobody sees both the error and
 * the answer on every framework, so the turns are counted: one more, for those that pass errors on
 * in a turn of their own.
 */
function failsFor<Tx>(handling: Handling<Tx>, error: OncekeyError): void {
  handling.busy = error
  setImmediate(() =>
    setImmediate(() => {
      if (handling.open && handling.busy === error) handling.busy = undefined
    }),
  )
}

const MAKE_SIGNAL = Symbol('make signal')

/**
 * Creates the signal lazily: an AbortController costs more than the rest of the context, and most
 * handlers never use it. The getter is on a prototype because a getter in an object literal gives
 * every context a hidden class of its own, which with its garbage costs 1.5 µs a request.
 */
const SIGNAL_ON_DEMAND = {
  get signal(): AbortSignal {
    return (this as unknown as Unfinished<HandlerContext>)[MAKE_SIGNAL]()
  },
}

type Unfinished<Whole> = { -readonly [Part in keyof Whole]: Whole[Part] } & {
  [MAKE_SIGNAL]: () => AbortSignal
}
