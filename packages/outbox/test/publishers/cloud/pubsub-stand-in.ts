import { protos } from '@google-cloud/pubsub'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'

const { PublishRequest, PublishResponse } = protos.google.pubsub.v1

export interface PubSubMessage {
  readonly topic: string
  readonly data: string
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
}

/**
 * A stand-in for Pub/Sub: it speaks the `Publish` of its gRPC service, with the client's own
 * message classes, keeps what it is sent, and fails as it is told to. It is no Pub/Sub: it has no
 * subscriptions and no limits.
 */
export interface PubSubStandIn {
  readonly port: number
  /** The topics that exist, by their whole names. */
  readonly topics: Set<string>
  /** What the topics have stored, in its order. */
  readonly stored: PubSubMessage[]
  /** Decides about a request before it is carried out, by a status of gRPC. */
  refuse: (messages: readonly PubSubMessage[]) => number | undefined
  stop(): void
}

export async function startPubSubStandIn(): Promise<PubSubStandIn> {
  const stored: PubSubMessage[] = []
  const topics = new Set<string>()

  function publish(
    { request }: ServerUnaryCall<protos.google.pubsub.v1.PublishRequest, object>,
    answer: sendUnaryData<object>,
  ): void {
    const messages = request.messages.map(({ data, attributes, orderingKey }) => ({
      topic: request.topic,
      data: Buffer.from(data as Uint8Array).toString(),
      attributes: { ...attributes },
      orderingKey: orderingKey ?? '',
    }))
    const code = topics.has(request.topic) ? standIn.refuse(messages) : NOT_FOUND
    if (code !== undefined) {
      answer({ code, details: `refused with ${code}` })
      return
    }
    stored.push(...messages)
    answer(null, { messageIds: messages.map((_, at) => `${stored.length}-${at}`) })
  }

  const server = new Server()
  const method = {
    path: '/google.pubsub.v1.Publisher/Publish',
    requestStream: false,
    responseStream: false,
    requestSerialize: (value: object) => Buffer.from(PublishRequest.encode(value).finish()),
    requestDeserialize: (bytes: Buffer) => PublishRequest.decode(bytes),
    responseSerialize: (value: object) => Buffer.from(PublishResponse.encode(value).finish()),
    responseDeserialize: (bytes: Buffer) => PublishResponse.decode(bytes),
  } as const
  server.addService({ publish: method }, { publish })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  const standIn: PubSubStandIn = {
    port,
    topics,
    stored,
    refuse: () => undefined,
    stop: () => server.forceShutdown(),
  }
  return standIn
}

const NOT_FOUND = 5
