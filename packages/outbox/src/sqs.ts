import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { Consumer } from './consumer/consumer.ts'
import type { DeliveredEvent } from './consumer/delivered-event.ts'
import { failuresIn } from './publishers/aws-failures.ts'
import { type AwsMessage, awsMessage } from './publishers/aws-message.ts'
import { type AwsSettings, awsPublisher } from './publishers/aws-publisher.ts'

export interface SqsPublisherOptions extends AwsSettings {
  /** `new SQSClient({})` of `@aws-sdk/client-sqs`. */
  readonly client: Pick<SQSClient, 'send'>
  /**
   * The URL of the queue: one for all events, or a function of the event. If the name ends in
   * `.fifo`, messages have a group, the ordering key, and a deduplication id.
   */
  readonly queueUrl: string | ((event: DeliveredEvent) => string)
  /**
   * The most bytes of one request, and so of one message. A larger message is dead at once. Set it
   * to the queue's `MaximumMessageSize` if that is smaller. Bytes. @default 1_048_576 (the limit of
   * SQS)
   */
  readonly maxRequestBytes?: number
}

/**
 * Publishes events to queues of Amazon SQS. An event is done when SQS has taken its message. A FIFO
 * queue keeps the order of each ordering key and drops what this publisher sends again within five
 * minutes; a standard queue does neither. Bodies are CloudEvents 1.0 in structured mode; consumers
 * recognize a redelivery by `id`. A missing queue is waited for `missingForMs`. Throws
 * {@link OptionsError}.
 *
 * @example
 * ```ts
 * const client = new SQSClient({})
 * const broker = sqsPublisher({ name: 'sqs', client, queueUrl: 'https://…/orders.fifo' })
 * const relay = createRelay({ log, consumers: [broker] })
 * ```
 */
export function sqsPublisher<Tx = unknown>({
  client,
  queueUrl,
  maxRequestBytes = 1_048_576,
  ...settings
}: SqsPublisherOptions): Consumer<Tx> {
  return awsPublisher<Tx, AwsMessage>(settings, {
    verb: 'sqsPublisher',
    option: 'queueUrl',
    noun: 'queue',
    destination: queueUrl,
    isDestination: (url) => /^https?:\/\/[^/]+\/\S+$/.test(url),
    example: 'https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo',
    client,
    clientClass: 'SQSClient',
    maxRequestBytes,
    messageOf: (event, to) => awsMessage(settings.name, event, to.endsWith('.fifo')),
    async request(QueueUrl, messages, abortSignal) {
      const Entries = messages.map(({ body, attributes, fifo }, at) => ({
        Id: String(at),
        MessageBody: body,
        MessageAttributes: attributes,
        ...fifo,
      }))
      const command = new SendMessageBatchCommand({ QueueUrl, Entries })
      return failuresIn(messages, await client.send(command, { abortSignal }))
    },
  })
}
