import {
  DescribeEventBusCommand,
  type EventBridgeClient,
  PutEventsCommand,
} from '@aws-sdk/client-eventbridge'
import { messageOf } from '@oncekey/core'
import type { Consumer } from './consumer/consumer.ts'
import type { DeliveredEvent } from './consumer/delivered-event.ts'
import { PermanentError } from './consumer/permanent-error.ts'
import { isDenied, isMissing, RefusedEntryError } from './publishers/aws-failures.ts'
import { type AwsSettings, awsPublisher } from './publishers/aws-publisher.ts'
import { structuredEvent } from './publishers/structured-event.ts'

export interface EventBridgePublisherOptions extends AwsSettings {
  /** `new EventBridgeClient({})` of `@aws-sdk/client-eventbridge`. */
  readonly client: Pick<EventBridgeClient, 'send'>
  /**
   * The name or the ARN of the event bus: one for all events, or a function of the event.
   * @default 'default'
   */
  readonly eventBusName?: string | ((event: DeliveredEvent) => string)
  /**
   * The most bytes of one request, and so of one event with its attributes. A larger one is dead at
   * once. Bytes. @default 1_048_576 (the limit of EventBridge)
   */
  readonly maxRequestBytes?: number
}

/**
 * Publishes events to event buses of Amazon EventBridge. An event is done when the bus has taken
 * it. A bus keeps no order and recognizes no duplicate. `Source` and `DetailType` are the event's
 * source and type, and `Detail` is a CloudEvent 1.0 in structured mode; consumers recognize a
 * redelivery by `detail.id`. A missing bus is waited for `missingForMs`. Throws
 * {@link OptionsError}.
 *
 * EventBridge accepts events for a bus that does not exist, and loses them. So the publisher asks
 * for a bus, other than the default one, before its first event and every minute. Without the right
 * `events:DescribeEventBus` a bus counts as existing.
 *
 * @example
 * ```ts
 * const client = new EventBridgeClient({})
 * const broker = eventBridgePublisher({ name: 'bus', client, eventBusName: 'shop' })
 * const relay = createRelay({ log, consumers: [broker] })
 * ```
 */
export function eventBridgePublisher<Tx = unknown>({
  client,
  eventBusName = 'default',
  maxRequestBytes = 1_048_576,
  ...settings
}: EventBridgePublisherOptions): Consumer<Tx> {
  const expectBus = busCheck(client)
  return awsPublisher<Tx, Entry>(settings, {
    verb: 'eventBridgePublisher',
    option: 'eventBusName',
    noun: 'event bus',
    destination: eventBusName,
    isDestination: (name) =>
      /^(arn:[\w-]+:events:[\w-]+:\w+:event-bus\/)?[\w./-]{1,256}$/.test(name),
    example: 'shop',
    client,
    clientClass: 'EventBridgeClient',
    maxRequestBytes,
    messageOf: entryOf,
    async request(EventBusName, entries, abortSignal) {
      await expectBus(EventBusName, abortSignal)
      const Entries = entries.map(({ fields }) => ({ ...fields, EventBusName }))
      const answer = await client.send(new PutEventsCommand({ Entries }), { abortSignal })
      return failuresIn(entries, answer.Entries)
    },
  })
}

interface Entry {
  readonly fields: {
    readonly Source: string
    readonly DetailType: string
    readonly Time: Date
    readonly Detail: string
  }
  /** As EventBridge counts it. */
  readonly bytes: number
}

function entryOf(event: DeliveredEvent): Entry {
  const { type, source, occurredAt } = event
  // A longer one is accepted, and then discarded.
  if (type.length > MOST_DETAIL_TYPE) {
    throw new PermanentError(
      `eventBridgePublisher: the type "${type}" has ${type.length} characters, and a DetailType ` +
        `of EventBridge may have ${MOST_DETAIL_TYPE}.`,
    )
  }
  if (source.startsWith('aws.')) {
    throw new PermanentError(
      `eventBridgePublisher: the source "${source}" begins with "aws.", as only those of AWS may.`,
    )
  }
  const Detail = structuredEvent(event)
  const texts = [source, type, Detail]
  return {
    fields: { Source: source, DetailType: type, Time: occurredAt, Detail },
    bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), TIME_BYTES),
  }
}

/** The answer has an outcome for each entry, in their order. */
function failuresIn(
  entries: readonly Entry[],
  outcomes: readonly Outcome[] = [],
): Map<Entry, unknown> {
  const failures = new Map<Entry, unknown>()
  for (const [at, entry] of entries.entries()) {
    const { EventId, ErrorCode = 'Unanswered', ErrorMessage = 'no outcome' } = outcomes[at] ?? {}
    if (EventId !== undefined) continue
    const isSenderFault = ABOUT_THE_EVENT.has(ErrorCode)
    failures.set(entry, new RefusedEntryError(ErrorCode, ErrorMessage, isSenderFault))
  }
  return failures
}

interface Outcome {
  readonly EventId?: string | undefined
  readonly ErrorCode?: string | undefined
  readonly ErrorMessage?: string | undefined
}

/**
 * Rejects with the service's own error if it knows no such bus, and with another one if it is not
 * known whether there is one: what is sent to a bus that does not exist is answered with success.
 * Only the right to ask may be missing.
 */
function busCheck(
  client: Pick<EventBridgeClient, 'send'>,
): (name: string, abortSignal: AbortSignal) => Promise<void> {
  const askedAt = new Map<string, number>()
  return async (name, abortSignal) => {
    if (name === 'default') return
    const last = askedAt.get(name)
    if (last !== undefined && performance.now() - last < ASK_AGAIN_MS) return
    try {
      await client.send(new DescribeEventBusCommand({ Name: name }), { abortSignal })
    } catch (error) {
      if (isMissing(error)) throw error
      // The events are not at fault, so none becomes a dead letter for it.
      if (!isDenied(error)) {
        const message = `Whether there is an event bus "${name}" is not known: ${messageOf(error)}`
        throw new Error(message, { cause: error })
      }
    }
    if (askedAt.size >= MOST_BUSES) askedAt.clear()
    askedAt.set(name, performance.now())
  }
}

const ABOUT_THE_EVENT = new Set(['InvalidArgument', 'MalformedDetail', 'RedactionFailure'])
const MOST_DETAIL_TYPE = 128
const TIME_BYTES = 14
const ASK_AGAIN_MS = 60_000
const MOST_BUSES = 1_000
