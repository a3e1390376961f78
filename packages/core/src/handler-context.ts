import { randomUUID } from 'node:crypto'
import { deriveKey } from './derive-key.ts'
import { OncekeyError } from './errors.ts'
import { type EmittedEvent, type OutboxEvent, outboxEvent } from './event.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'
import type { Attempt } from './store.ts'
import { currentTraceparent } from './telemetry/trace-context.ts'

/**
 * What a handler sees, the same on every adapter and store, with a key or without: handler code
 * never branches on whether a key came. Everything but `key`, `scope`, `attempt`, `traceparent`,
 * `signal` and `deriveKey` throws once the response has ended.
 */
export interface HandlerContext<Tx = unknown> {
  /** The client's key; `undefined` on a route that does not require one. */
  readonly key: string | undefined
  readonly scope: string
  /** 1; 2 after a takeover, and so on. */
  readonly attempt: number
  /** Of the request (W3C Trace Context), where it came with one: `emit` writes it on events, unless a trace is active (`provideTraceparent`). */
  readonly traceparent: string | undefined
  /** Aborts when the handler has run out of time or its lease is lost: stop, nothing more will be kept. */
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
  /** Adds an event; it is written by the statement that stores the response, or not at all. */
  emit(event: EmittedEvent): void
  /** This response, whatever its status, keeps writes and events: a declined payment's ledger row. */
  keep(): void
  /** Nothing happened outside: whatever this response is, a retry may run again. */
  release(): void
  /** A key for a call further down, the same on every attempt of this request. */
  deriveKey(label: string): string
}

/** What a run knows of its handler: what it was told, what it asked for. */
export interface Handling<Tx> {
  readonly options: ResolvedOptions<Tx>
  /** Of the attempt, from 1. */
  readonly number: number
  /** Let go of once the run is over. */
  attempt: Attempt<Tx> | undefined
  readonly question: Question
  /** What the handler emitted. */
  readonly events: OutboxEvent[]
  /** Whether the response is still to come. */
  open: boolean
  /** What the handler asked to become of its response, if it did. */
  wish: 'commit' | 'retry' | undefined
  aborted: OncekeyError | undefined
  /** There was no connection for its transaction: not its fault, and nothing to be held for. */
  busy: OncekeyError | undefined
  controller: AbortController | undefined
  context: HandlerContext<Tx> | undefined
}

/** The handler's context, made when it is first asked for: its functions cost more than a claim. */
export function contextOf<Tx>(handling: Handling<Tx>): HandlerContext<Tx> {
  handling.context ??= handlerContext(handling)
  return handling.context
}

/** Aborts the handler's signal, now or as soon as it asks for one. */
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
      if (error instanceof OncekeyError && error.code === 'store-busy') handling.busy = error
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
    handling.wish = 'commit'
  }

  function release(): void {
    assertOpen('release')
    handling.wish = 'retry'
  }

  function childKey(label: string): string {
    // Without a client's key there is no other attempt to agree with: one random owner per request.
    ownKey ??= randomUUID()
    return deriveKey({ ...facts, key: ownKey }, label)
  }

  function assertOpen(verb: string): void {
    if (handling.open) return
    throw new OncekeyError(
      'attempt-over',
      options.response === 'stream'
        ? `${verb}(): this route says response: 'stream', so it is on record since its first byte. Call it before writing.`
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

const MAKE_SIGNAL = Symbol('make signal')

/**
 * An AbortController costs more than the rest of the context, and most handlers never ask for one.
 * On a prototype, because a getter in a literal makes every context a shape of its own: with the
 * garbage it leaves, 1.5 µs a request.
 */
const SIGNAL_ON_DEMAND = {
  get signal(): AbortSignal {
    return (this as unknown as Unfinished<HandlerContext>)[MAKE_SIGNAL]()
  },
}

type Unfinished<Whole> = { -readonly [Part in keyof Whole]: Whole[Part] } & {
  [MAKE_SIGNAL]: () => AbortSignal
}
