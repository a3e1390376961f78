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
}

/** Sends messages of one topic in one request; rejects with the client's error. */
export type KafkaSend = (topic: string, messages: KafkaMessage[]) => Promise<unknown>

/** The function that sends with this client; `undefined` if the value is not a producer. */
export function kafkaSend(producer: unknown): KafkaSend | undefined {
  const { send, sendBatch } = (producer ?? {}) as Partial<KafkaJsProducer>
  if (typeof send !== 'function') return undefined
  if (typeof sendBatch === 'function') return kafkaJsSend(producer as KafkaJsProducer)
  // Not idempotent, because of how this client numbers batches: it assigns a number only after the
  // reply. If a reply is lost, the next batch gets the same number, and the broker drops it as a
  // duplicate.
  return (_, messages) =>
    (producer as KafkaProducer).send({ messages, acks: -1, idempotent: false })
}

function kafkaJsSend(producer: KafkaJsProducer): KafkaSend {
  return (topic, messages) =>
    producer.send({
      topic,
      acks: -1,
      messages: messages.map(({ key, value, headers }) => ({
        key,
        value,
        headers: Object.fromEntries([...headers].map(([name, text]) => [name.toString(), text])),
      })),
    })
}
