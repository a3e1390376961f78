import { isKafkaPermanent } from './kafka-failures.ts'
import { ownFailure } from './own-failure.ts'
import type { SendFailures } from './shared-sends.ts'

export interface KafkaMessage {
  topic: string
  key: Buffer
  value: Buffer
  headers: Map<Buffer, Buffer>
}

/**
 * The part of a `Producer` of `@platformatic/kafka` that is used. Another Kafka client can be used
 * through an object with such a `send`.
 */
export interface KafkaProducer {
  /** Resolves when all in-sync replicas have all of the messages. */
  send(options: {
    messages: KafkaMessage[]
    /** Acknowledged by all in-sync replicas. */
    acks: -1
    idempotent: false
  }): Promise<unknown>
  /** Never present: a producer with this method is one of `kafkajs`. */
  sendBatch?: undefined
}

/** The part of a producer of `kafkajs` that is used: `kafka.producer()`, connected. */
export interface KafkaJsProducer {
  send(record: {
    topic: string
    acks: -1
    messages: { key: Buffer; value: Buffer; headers: Record<string, Buffer> }[]
  }): Promise<unknown>
  /**
   * Present only in `kafkajs`: by it, the producer is told from one of `@platformatic/kafka`, whose
   * `send` takes other options.
   */
  sendBatch(batch: never): Promise<unknown>
  /** True with `idempotent: true`, with which `kafkaPublisher` refuses the producer. */
  isIdempotent?(): boolean
}

/**
 * Sends messages of one topic together. Resolves to the failures of single messages, all others of
 * which are written; rejects with the client's error if it is not known which are. The signal says
 * that nobody waits for the outcome any longer.
 */
export type KafkaSend = (
  topic: string,
  messages: readonly KafkaMessage[],
  signal: AbortSignal,
) => Promise<SendFailures<KafkaMessage>>

/**
 * Whether this is a producer of `kafkajs` that numbers its messages. If an answer is lost, this
 * client gives the number to whichever message is sent next, and if that is another one, the broker
 * drops it as a duplicate and answers with success.
 */
export function numbersMessages(producer: unknown): boolean {
  const { isIdempotent } = (producer ?? {}) as Partial<KafkaJsProducer>
  return typeof isIdempotent === 'function' && isIdempotent()
}

/** The function that sends with this client; `undefined` if the value is not a producer. */
export function kafkaSend(producer: unknown): KafkaSend | undefined {
  const { send, sendBatch } = (producer ?? {}) as Partial<KafkaJsProducer>
  if (typeof send !== 'function') return undefined
  if (typeof sendBatch === 'function') return kafkaJsSend(producer as KafkaJsProducer)
  // Not idempotent, because of how this client numbers batches: it assigns a number only after the
  // reply. If a reply is lost, the next batch gets the same number, and the broker drops it as a
  // duplicate.
  return async (_, messages) => {
    await (producer as KafkaProducer).send({
      messages: [...messages],
      acks: -1,
      idempotent: false,
    })
    return NONE
  }
}

/**
 * With `kafkajs`, each message is a call of its own, all of them at the same time. Given messages
 * of several partitions, this client sends a request to each of their leaders, and tries again
 * those that failed. It does not send again to a broker that has answered, so it loses the messages
 * of a partition whose leader has become that broker meanwhile, and reports success (tulios/kafkajs
 * 1303). One message has one partition, and the answer about it is the last.
 *
 * Messages of one key wait for each other, because two calls may be tried again in another order.
 */
function kafkaJsSend(producer: KafkaJsProducer): KafkaSend {
  async function sendOne(topic: string, message: KafkaMessage): Promise<void> {
    const { key, value, headers } = message
    const texts = [...headers].map(([name, text]) => [name.toString(), text])
    const written = await producer.send({
      topic,
      acks: -1,
      messages: [{ key, value, headers: Object.fromEntries(texts) }],
    })
    // The client resolves to what each partition answered.
    if (Array.isArray(written) && written.length > 0) return
    throw new Error('The client sent nothing: no partition has answered.')
  }

  return async (topic, messages, signal) => {
    const failures = new Map<KafkaMessage, unknown>()
    const sendOfKey = async (ofKey: readonly KafkaMessage[]): Promise<void> => {
      let earlier: { readonly error: unknown } | undefined
      for (const message of ofKey) {
        try {
          signal.throwIfAborted()
          if (earlier !== undefined) throw notSent(earlier.error)
          await sendOne(topic, message)
        } catch (error) {
          failures.set(message, error)
          if (!isKafkaPermanent(error)) earlier ??= { error }
        }
      }
    }
    await Promise.all([...byKey(messages).values()].map(sendOfKey))
    return failures
  }
}

function byKey(messages: readonly KafkaMessage[]): Map<string, KafkaMessage[]> {
  const keys = new Map<string, KafkaMessage[]>()
  for (const message of messages) {
    const key = message.key.toString('latin1')
    const ofKey = keys.get(key)
    if (ofKey === undefined) keys.set(key, [message])
    else ofKey.push(message)
  }
  return keys
}

function notSent(cause: unknown): Error {
  return ownFailure('Not sent: an earlier message of its key was not written.', { cause })
}

const NONE: SendFailures<KafkaMessage> = new Map()
