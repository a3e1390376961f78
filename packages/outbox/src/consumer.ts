import { type EmittedEvent, isTypePattern, OptionsError } from '@oncekey/core'
import { type Backoff, backoff } from './backoff.ts'
import type { DeliveredEvent } from './delivered-event.ts'
import { PermanentError } from './permanent-error.ts'

/** What a consumer's function is given for one event. */
export interface ConsumerContext<Tx = unknown, Data = unknown> {
  readonly event: DeliveredEvent<Data>
  /** 1 on the first try, 2 on the next, and so on; it starts again at 1 after a redrive. */
  readonly attempt: number
  /** Of the event, where it has one: `emit` writes it on the events that follow from it. */
  readonly traceparent: string | undefined
  /** Aborts when the attempt has run out of time, or the relay is told to stop and cannot wait: what is done after that is not kept. */
  readonly signal: AbortSignal
  /**
   * The transaction of the inbox: what is written in it, the mark that this consumer has taken the
   * event in, and what is emitted are one commit. Ask for it before doing anything: if the event was
   * taken in before, it rejects, the function ends there, and that counts as done.
   *
   * A consumer that never asks for it costs no row for each event, and may see one twice.
   */
  transaction(): Promise<Tx>
  /** Adds an event, committed with the transaction; without one, with a mark of its own. */
  emit(event: EmittedEvent): void
  /** A key for a call further down, the same on every delivery of this event to this consumer. */
  deriveKey(label: string): string
}

/** What a consumer's function is given for many events at once. */
export interface BatchContext<Tx = unknown, Data = unknown> {
  /** In the order of the log, at most `batchSize`. */
  readonly events: readonly DeliveredEvent<Data>[]
  readonly attempt: number
  readonly signal: AbortSignal
  /** The transaction of the inbox for all of them, and those that had not been taken in before. */
  begin(): Promise<{ readonly transaction: Tx; readonly fresh: readonly DeliveredEvent<Data>[] }>
  emit(event: EmittedEvent): void
  deriveKey(event: DeliveredEvent<Data>, label: string): string
}

export interface ConsumerSettings {
  /** Its place in the log is kept under this name: a consumer that is renamed begins anew. */
  readonly name: string
  /**
   * Only events of these types; `order.*` means all that begin so (also `order.item.added`), `*` all.
   * @default all of them
   */
  readonly types?: readonly string[]
  /**
   * Where a consumer begins that is new to the log: with the oldest event it has, or with the next.
   * @default 'beginning'
   */
  readonly startAt?: 'beginning' | 'now'
  /**
   * Whether events of one ordering key are taken one after the other, in order. One that fails holds
   * its ordering key, and only that, until it succeeds or is dead. @default false
   */
  readonly ordered?: boolean
  /** How many are under way at once in each relay. @default 50 */
  readonly concurrency?: number
  /** How often an event is tried before it is dead. @default 10 */
  readonly maxAttempts?: number
  /** How long one try may take. Milliseconds. @default 30_000 */
  readonly attemptTimeoutMs?: number
  /** How long to wait before the next try. @default backoff() */
  readonly backoff?: Backoff
  /** Errors that no further try can help with, besides {@link PermanentError}: dead at once. @default none */
  readonly isPermanent?: (error: unknown) => boolean
  /**
   * How often an event may be started without the process living to say how it ended, before it is
   * taken for poison. @default 3
   */
  readonly maxStarts?: number
}

export interface ConsumerOptions<Tx = unknown, Data = unknown> extends ConsumerSettings {
  /** Resolves when the event has taken effect; whatever it throws or rejects with is a failure. */
  readonly handle: (context: ConsumerContext<Tx, Data>) => unknown
}

export interface BatchConsumerOptions<Tx = unknown, Data = unknown> extends ConsumerSettings {
  /** How many events at most. @default 100 */
  readonly batchSize?: number
  /** Like `handle`, for many; when it fails, it is called again with one event at a time. */
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
  /** {@link PermanentError} included. */
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
 * Names a function that is to be called with every event, at least once. Throws {@link OptionsError}.
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
  const isPermanent = callback(name, 'isPermanent', options.isPermanent) ?? (() => false)
  return {
    name,
    types: checkTypes(name, options.types),
    startAt: oneOf(name, 'startAt', options.startAt ?? 'beginning', ['beginning', 'now']),
    ordered: flag(name, 'ordered', options.ordered ?? false),
    concurrency: whole(name, 'concurrency', options.concurrency ?? 50),
    maxAttempts: whole(name, 'maxAttempts', options.maxAttempts ?? 10),
    attemptTimeoutMs: whole(name, 'attemptTimeoutMs', options.attemptTimeoutMs ?? 30_000),
    backoff: callback(name, 'backoff', options.backoff) ?? backoff(),
    isPermanent: (error) => error instanceof PermanentError || isPermanent(error),
    maxStarts: whole(name, 'maxStarts', options.maxStarts ?? 3),
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
    return { kind: 'batch', handleBatch, batchSize: whole(name, 'batchSize', batchSize ?? 100) }
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

function whole(name: string, option: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value < 2 ** 31) return value
  throw wrong(name, `${option} must be a whole number from 1, not ${shown(value)}`)
}

function flag(name: string, option: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw wrong(name, `${option} must be true or false, not ${shown(value)}`)
}

function callback<Callback>(
  name: string,
  option: string,
  value: Callback | undefined,
): Callback | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw wrong(name, `${option} must be a function, not ${shown(value)}`)
}

function oneOf<Choice extends string>(
  name: string,
  option: string,
  value: Choice,
  choices: readonly Choice[],
): Choice {
  if (choices.includes(value)) return value
  throw wrong(name, `${option} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}`)
}

function wrong(name: string, what: string): OptionsError {
  return new OptionsError(`consumer "${name}": ${what}.`)
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
