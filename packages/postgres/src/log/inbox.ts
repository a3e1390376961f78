import {
  type EmittedEvent,
  type Intake,
  OncekeyError,
  OptionsError,
  type OutboxEvent,
  outboxEvent,
  tell,
} from '@oncekey/core'
import { openIntake } from './intake.ts'
import { logState } from './log-state.ts'
import { type PostgresLogOptions, resolveLogOptions } from './options.ts'

export interface InboxOptions<Tx>
  extends Pick<
    PostgresLogOptions<Tx>,
    'client' | 'schema' | 'maxTransactions' | 'timeoutMs' | 'prepare'
  > {
  /**
   * The name of the consumer. A message that one consumer has taken in can still be taken in by
   * another.
   */
  readonly consumer: string
}

/**
 * The transaction of a message and the function that emits its events. Both are committed together
 * with the row that marks the message as taken in.
 */
export interface InboxContext<Tx> {
  readonly transaction: Tx
  emit(event: EmittedEvent): void
}

/**
 * How a message was taken in. `done`: it was new, and `result` is what `work` returned.
 * `duplicate`: it was taken in before, and `work` did not run. Acknowledge the message either way.
 */
export type Taken<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'duplicate' }

export interface Inbox<Tx> {
  /**
   * Takes in one message, once, however often it is delivered and to however many processes. If
   * `work` throws, everything is undone, and the message can be taken in again. Acknowledge it to
   * its queue after this has resolved.
   *
   * `work` has no time limit, but the server ends a transaction to which no statement comes for
   * twice `timeoutMs` and 5 s (65 s by default; sooner if the role's
   * `idle_in_transaction_session_timeout` is shorter).
   *
   * Throws what `work` throws; `OptionsError` for an id that is not text or is longer than 2,000
   * bytes; `store-busy` if no transaction became free within `timeoutMs`, and `store-unavailable`
   * if another process that takes the same message did not end within it; `commit-failed` if it is
   * unknown whether the message was taken in; the next delivery of the message finds that out.
   */
  take<Result>(
    messageId: string,
    work: (context: InboxContext<Tx>) => Promise<Result> | Result,
  ): Promise<Taken<Result>>

  /**
   * Takes in many messages in one transaction. `fresh` are those that had not been taken in before;
   * `duplicate` if there are none.
   */
  takeMany<Result>(
    messageIds: readonly string[],
    work: (
      context: InboxContext<Tx> & { readonly fresh: ReadonlySet<string> },
    ) => Promise<Result> | Result,
  ): Promise<Taken<Result>>
}

/**
 * The inbox for consumers of any queue: SQS, Kafka, RabbitMQ, BullMQ. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const billing = inbox({ client: pool, consumer: 'billing' })
 * await billing.take(message.headers['ce-id'], async ({ transaction, emit }) => {
 *   await transaction.query('update accounts set …')
 *   emit({ type: 'account.charged', subject: account.id })
 * })
 * channel.ack(message)
 * ```
 */
export function inbox<Tx>(options: InboxOptions<Tx>): Inbox<Tx> {
  const { consumer } = options
  if (!isText(consumer)) {
    throw new OptionsError(
      "inbox: consumer is missing. Write the name of who takes messages in, such as 'billing'.",
    )
  }
  const source = sourceOf(consumer)
  const log = logState(resolveLogOptions(options))

  return {
    take: async (messageId, work) => take([checkId(messageId)], work),
    takeMany: async (messageIds, work) => take([...new Set(messageIds.map(checkId))], work),
  }

  async function take<Result>(
    eventIds: readonly string[],
    work: (
      context: InboxContext<Tx> & { readonly fresh: ReadonlySet<string> },
    ) => Promise<Result> | Result,
  ): Promise<Taken<Result>> {
    const intake = await openIntake(log, { consumer, eventIds, timeoutMs: log.timeoutMs })
    try {
      if (intake.fresh.size === 0) return { kind: 'duplicate' }
      return { kind: 'done', result: await run(intake, work) }
    } finally {
      // After a commit this rolls back nothing.
      await intake.rollback()
    }
  }

  async function run<Result>(
    intake: Intake<Tx>,
    work: (
      context: InboxContext<Tx> & { readonly fresh: ReadonlySet<string> },
    ) => Promise<Result> | Result,
  ): Promise<Result> {
    const events: OutboxEvent[] = []
    let over = false
    const emit = (event: EmittedEvent): void => {
      if (over)
        throw new OncekeyError(
          'attempt-over',
          'emit(): the work has ended. Call emit() before it returns.',
        )
      events.push(outboxEvent(event, { source, traceparent: undefined }))
    }
    const result = await work({ transaction: intake.handle, fresh: intake.fresh, emit })
    over = true
    await intake.commit(events)
    if (events.length > 0) tell('oncekey:appended', () => ({ count: events.length }))
    return result
  }
}

/**
 * The `source` of events that this consumer emits. A name that is no part of a URI as it is, such
 * as `billing service`, is encoded; names of consumers may be any text, because some are in use.
 */
function sourceOf(consumer: string): string {
  const source = IN_A_URI.test(consumer) ? `/${consumer}` : `/${encodeURIComponent(consumer)}`
  if (Buffer.byteLength(source) <= MOST_SOURCE_BYTES) return source
  throw new OptionsError(
    `inbox: the name of the consumer is too long: it is the \`source\` of its events, which may have ${MOST_SOURCE_BYTES} bytes.`,
  )
}

const IN_A_URI = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const MOST_SOURCE_BYTES = 2_048

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0') && value.isWellFormed()
}

function checkId(messageId: string): string {
  if (!isText(messageId)) {
    throw new OptionsError(
      `inbox: the id of a message must be text, not ${JSON.stringify(messageId) ?? String(messageId)}.`,
    )
  }
  const bytes = Buffer.byteLength(messageId)
  if (bytes <= MOST_ID_BYTES) return messageId
  throw new OptionsError(
    `inbox: the id of a message may have at most ${MOST_ID_BYTES} bytes, to fit in an index, not ${bytes}. ` +
      "Write a digest of it: createHash('sha256').update(id).digest('hex').",
  )
}

const MOST_ID_BYTES = 2_000
