import { type EmittedEvent, isTypePattern, OptionsError } from '@oncekey/core'
import { callback, flag, oneOf, shown, wholeNumber } from '@oncekey/core/options'
import { type Backoff, backoff } from './backoff.ts'
import type { DeliveredEvent } from './delivered-event.ts'
import { PermanentError } from './permanent-error.ts'

/** The context that `handle` gets for one event. */
export interface ConsumerContext<Tx = unknown, Data = unknown> {
  readonly event: DeliveredEvent<Data>
  /** 1 on the first try, 2 on the next, and so on; it starts again at 1 after a redrive. */
  readonly attempt: number
  /** The event's `traceparent`, if it has one. `emit` passes it on to the events it adds. */
  readonly traceparent: string | undefined
  /**
   * Aborts when the attempt has run out of time, or when the relay stops without waiting for it.
   * What the consumer does after that has no effect.
   */
  readonly signal: AbortSignal
  /**
   * Opens the transaction of the inbox. The consumer's writes, the row that marks the event as
   * taken in, and the events that the consumer emits are committed together. If the event was
   * taken in before, it rejects with `event-taken-in`, and if the consumer lets that rejection
   * through, the event counts as done.
   *
   * Call it before anything that must not be repeated. A call to another service that takes the
   * key of `deriveKey` comes before it: the service recognises a repeated call, and no connection
   * is held while it answers.
   *
   * A consumer that calls neither this nor `emit` leaves no row per event, and may get an event
   * twice.
   */
  transaction(): Promise<Tx>
  /**
   * Adds an event. The event is committed with the transaction. If the consumer opened none, the
   * event is committed with a row that keeps a second delivery from adding it again.
   */
  emit(event: EmittedEvent): void
  /**
   * Makes an idempotency key for a call to another system. It is the same on every delivery of this
   * event to this consumer.
   */
  deriveKey(label: string): string
}

/** The context that `handleBatch` gets for its events. */
export interface BatchContext<Tx = unknown, Data = unknown> {
  /** The events in the order of the log, at most `batchSize`. */
  readonly events: readonly DeliveredEvent<Data>[]
  readonly attempt: number
  readonly signal: AbortSignal
  /**
   * Opens one inbox transaction for the batch. `fresh` are the events that were not taken in
   * before.
   */
  begin(): Promise<{ readonly transaction: Tx; readonly fresh: readonly DeliveredEvent<Data>[] }>
  emit(event: EmittedEvent): void
  deriveKey(event: DeliveredEvent<Data>, label: string): string
}

export interface ConsumerSettings {
  /** The name under which the log keeps the consumer's cursors: a renamed consumer starts again. */
  readonly name: string
  /**
   * The types of events that the consumer takes. `order.*` means every type that starts with
   * `order.` (also `order.item.added`), `*` every type. @default all of them
   */
  readonly types?: readonly string[]
  /**
   * Where a consumer that the log does not know yet starts: at the oldest event in the log, or at
   * the next one. @default 'beginning'
   */
  readonly startAt?: 'beginning' | 'now'
  /**
   * Whether events of one ordering key are handled one after the other, in order. If an event
   * fails, later events of its ordering key wait until it succeeds or is dead; other events do not
   * wait.
   * @default false
   */
  readonly ordered?: boolean
  /** How many events each relay handles at the same time. @default 50 */
  readonly concurrency?: number
  /** How many attempts an event gets before it is a dead letter. @default 10 */
  readonly maxAttempts?: number
  /**
   * How long one attempt may take, without its wait for `transaction()` or `begin()`. That may take
   * as long again; an event that gets no transaction in that time is postponed. Milliseconds.
   * @default 30_000
   */
  readonly attemptTimeoutMs?: number
  /** How long to wait before the next attempt. @default backoff() */
  readonly backoff?: Backoff
  /**
   * Decides which errors, besides {@link PermanentError}, make an event a dead letter at once,
   * because retrying cannot help. It is not asked about errors that the relay itself makes: the
   * time limit, what `transaction()`, `begin()` and `emit()` throw, and a commit that the log did
   * not answer. @default none
   */
  readonly isPermanent?: (error: unknown) => boolean
  /**
   * How often an event may be started by processes that died before its attempt ended. If it is
   * started more often, it becomes a dead letter with the reason `poison`. @default 3
   */
  readonly maxStarts?: number
}

export interface ConsumerOptions<Tx = unknown, Data = unknown> extends ConsumerSettings {
  /**
   * Returns or resolves when the event has taken effect. If it throws or rejects, the attempt has
   * failed.
   */
  readonly handle: (context: ConsumerContext<Tx, Data>) => unknown
}

export interface BatchConsumerOptions<Tx = unknown, Data = unknown> extends ConsumerSettings {
  /** The most events in one batch. @default 100 */
  readonly batchSize?: number
  /** As `handle`, for a batch. If it fails, it is called again with one event at a time. */
  readonly handleBatch: (context: BatchContext<Tx, Data>) => unknown
}

/** A named reader of the log, ready for a relay. */
export interface Consumer<Tx = unknown> {
  readonly name: string
  readonly types: readonly string[] | null
  readonly startAt: 'beginning' | 'now'
  readonly ordered: boolean
  readonly concurrency: number
  readonly maxAttempts: number
  readonly attemptTimeoutMs: number
  readonly backoff: Backoff
  /** Also accepts {@link PermanentError}. */
  readonly isPermanent: (error: unknown) => boolean
  readonly maxStarts: number
  readonly work:
    | { readonly kind: 'each'; readonly handle: (context: ConsumerContext<Tx>) => unknown }
    | {
        readonly kind: 'batch'
        readonly batchSize: number
        readonly handleBatch: (context: BatchContext<Tx>) => unknown
      }
}

/**
 * Creates a consumer: a named function that is called with every event, at least once. Throws
 * {@link OptionsError}.
 *
 * @example
 * ```ts
 * const shipping = consumer<PoolClient>({
 *   name: 'shipping',
 *   types: ['order.created'],
 *   async handle({ event, transaction, emit }) {
 *     const tx = await transaction()
 *     await tx.query('insert into shipments (order_id) values ($1)', [event.subject])
 *     emit({ type: 'shipment.scheduled', subject: String(event.subject) })
 *   },
 * })
 * ```
 */
export function consumer<Tx = unknown, Data = unknown>(
  options: ConsumerOptions<Tx, Data> | BatchConsumerOptions<Tx, Data>,
): Consumer<Tx> {
  const name = checkName(options?.name)
  const isPermanent = callback(optionOf(name, 'isPermanent'), options.isPermanent) ?? (() => false)
  return {
    name,
    types: checkTypes(name, options.types),
    startAt: oneOf(optionOf(name, 'startAt'), options.startAt ?? 'beginning', ['beginning', 'now']),
    ordered: flag(optionOf(name, 'ordered'), options.ordered ?? false),
    concurrency: wholeNumber(optionOf(name, 'concurrency'), options.concurrency ?? 50, 1),
    maxAttempts: wholeNumber(optionOf(name, 'maxAttempts'), options.maxAttempts ?? 10, 1),
    attemptTimeoutMs: wholeNumber(
      optionOf(name, 'attemptTimeoutMs'),
      options.attemptTimeoutMs ?? 30_000,
      1,
    ),
    backoff: callback(optionOf(name, 'backoff'), options.backoff) ?? backoff(),
    isPermanent: (error) => error instanceof PermanentError || isPermanent(error),
    maxStarts: wholeNumber(optionOf(name, 'maxStarts'), options.maxStarts ?? 3, 1),
    work: checkWork(name, options),
  }
}

function checkWork<Tx, Data>(
  name: string,
  options: ConsumerOptions<Tx, Data> | BatchConsumerOptions<Tx, Data>,
): Consumer<Tx>['work'] {
  const { handle, handleBatch, batchSize } = options as Partial<
    ConsumerOptions<Tx> & BatchConsumerOptions<Tx>
  >
  if (typeof handle === 'function' && handleBatch === undefined && batchSize === undefined) {
    return { kind: 'each', handle }
  }
  if (typeof handleBatch === 'function' && handle === undefined) {
    if (options.ordered === true) {
      throw wrong(
        name,
        'handleBatch takes events of many keys at once. Write `handle` to be ordered',
      )
    }
    return {
      kind: 'batch',
      handleBatch,
      batchSize: wholeNumber(optionOf(name, 'batchSize'), batchSize ?? 100, 1),
    }
  }
  throw wrong(name, 'give one of `handle: async ({ event }) => …` and `handleBatch`, as a function')
}

function checkName(name: unknown): string {
  if (typeof name === 'string' && /^[\w.:/-]{1,100}$/.test(name)) return name
  throw new OptionsError(
    `consumer: name must be 1 to 100 letters, digits or any of _ . : / -, such as 'shipping', not ${shown(name)}.`,
  )
}

function checkTypes(name: string, types: readonly string[] | undefined): readonly string[] | null {
  if (types === undefined) return null
  const good =
    Array.isArray(types) && types.length > 0 && types.every((type) => isTypePattern(type))
  if (good) return [...new Set(types)]
  throw wrong(
    name,
    `types must be a list of event types, such as ['order.created'], ['order.*'] or ['*'], not ${shown(types)}`,
  )
}

/** The option's name in error messages. */
function optionOf(name: string, option: string): string {
  return `consumer "${name}": ${option}`
}

function wrong(name: string, what: string): OptionsError {
  return new OptionsError(`consumer "${name}": ${what}.`)
}
