import { PublishBatchCommand, type SNSClient } from '@aws-sdk/client-sns'
import type { Consumer } from './consumer/consumer.ts'
import type { DeliveredEvent } from './consumer/delivered-event.ts'
import { failuresIn } from './publishers/aws-failures.ts'
import { type AwsMessage, awsMessage } from './publishers/aws-message.ts'
import { type AwsSettings, awsPublisher } from './publishers/aws-publisher.ts'

export interface SnsPublisherOptions extends AwsSettings {
  /** `new SNSClient({})` of `@aws-sdk/client-sns`. */
  readonly client: Pick<SNSClient, 'send'>
  /**
   * The ARN of the topic: one for all events, or a function of the event. If the name ends in
   * `.fifo`, messages have a group, the ordering key, and a deduplication id.
   */
  readonly topicArn: string | ((event: DeliveredEvent) => string)
  /**
   * The most bytes of one request, and so of one message. A larger message is dead at once. A topic
   * takes up to 1_048_576 if its `MaximumMessageSize` says so. Bytes. @default 262_144 (the limit
   * of a topic that has none of its own)
   */
  readonly maxRequestBytes?: number
}

/**
 * Publishes events to topics of Amazon SNS. An event is done when SNS has taken its message. A FIFO
 * topic keeps the order of each ordering key and drops what this publisher sends again within five
 * minutes; a standard topic does neither. Messages are CloudEvents 1.0 in structured mode, with the
 * attributes `ce-type` and `ce-source` for filter policies; subscribers recognize a redelivery by
 * `id`. A missing topic is waited for `missingForMs`. Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * const client = new SNSClient({})
 * const broker = snsPublisher({ name: 'sns', client, topicArn: 'arn:aws:sns:…:orders.fifo' })
 * const relay = createRelay({ log, consumers: [broker] })
 * ```
 */
export function snsPublisher<Tx = unknown>({
  client,
  topicArn,
  maxRequestBytes = 262_144,
  ...settings
}: SnsPublisherOptions): Consumer<Tx> {
  return awsPublisher<Tx, AwsMessage>(settings, {
    verb: 'snsPublisher',
    option: 'topicArn',
    noun: 'topic',
    destination: topicArn,
    isDestination: (arn) => /^arn:[\w-]+:sns:[\w-]+:\w+:[\w-]+(\.fifo)?$/.test(arn),
    example: 'arn:aws:sns:eu-central-1:123456789012:orders.fifo',
    client,
    clientClass: 'SNSClient',
    maxRequestBytes,
    messageOf: (event, to) => awsMessage(settings.name, event, to.endsWith('.fifo')),
    async request(TopicArn, messages, abortSignal) {
      const PublishBatchRequestEntries = messages.map(({ body, attributes, fifo }, at) => ({
        Id: String(at),
        Message: body,
        MessageAttributes: attributes,
        ...fifo,
      }))
      const command = new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries })
      return failuresIn(messages, await client.send(command, { abortSignal }))
    },
  })
}
