import { SNSClient } from '@aws-sdk/client-sns'
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { startProxy, type TcpProxy } from '@oncekey/test-servers'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { logDatabase } from '../../databases/log-database.ts'
import type { Numbered } from '../broker-stream.ts'

/** A message as a consumer of a queue reads it: a CloudEvent in structured mode. */
export interface Envelope {
  readonly id: string
  readonly type: string
  readonly data: unknown
  readonly [attribute: string]: unknown
}

export interface Received {
  readonly body: string
  readonly event: Envelope
  readonly attributes: Readonly<Record<string, string | undefined>>
  readonly group: string | undefined
  readonly deduplication: string | undefined
}

const database = logDatabase()
export let pool: Pool
/**
 * `fauxqs`, an emulator of SQS and SNS in this process. It keeps what FIFO queues promise and has
 * the limits of the services, but neither rights nor quotas.
 */
export let emulator: FauxqsServer
export let proxy: TcpProxy
/** Clients whose requests go through the proxy. */
export let sqs: SQSClient
export let sns: SNSClient
/** Reads, past the proxy. */
let reader: SQSClient
let names = 0

beforeAll(async () => {
  pool = database.pool()
  emulator = await startFauxqs({ port: 0, logger: false })
  proxy = await startProxy(emulator.port)
  const settings = { region: 'us-east-1', credentials: { accessKeyId: 'x', secretAccessKey: 'x' } }
  const endpoint = `http://127.0.0.1:${proxy.port}`
  sqs = new SQSClient({ ...settings, endpoint, useQueueUrlAsEndpoint: false, maxAttempts: 1 })
  sns = new SNSClient({ ...settings, endpoint, maxAttempts: 1 })
  reader = new SQSClient({
    ...settings,
    endpoint: `http://127.0.0.1:${emulator.port}`,
    useQueueUrlAsEndpoint: false,
  })
})

beforeEach(() => proxy.resume())

afterAll(async () => {
  for (const client of [sqs, sns, reader]) client?.destroy()
  await proxy?.stop()
  await emulator?.stop()
})

export function freshName(): string {
  names += 1
  return `orders${names}`
}

/** The URL that the queue of this name has, or will have. */
export function urlOf(queue: string): string {
  return `http://sqs.us-east-1.localhost:${emulator.port}/000000000000/${queue}`
}

export async function createQueue(name: string, attributes: Record<string, string> = {}) {
  const fifo = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}
  await reader.send(
    new CreateQueueCommand({ QueueName: name, Attributes: { ...fifo, ...attributes } }),
  )
  return collectorOf(name)
}

/** Reads and deletes the messages of a queue, as a consumer does; keeps what it has read. */
export function collectorOf(name: string) {
  const QueueUrl = urlOf(name)
  const received: Received[] = []
  async function drain(): Promise<Received[]> {
    for (;;) {
      const { Messages = [] } = await reader.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 10,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['All'],
        }),
      )
      if (Messages.length === 0) return received
      for (const { Body = '', MessageAttributes = {}, Attributes = {} } of Messages) {
        received.push({
          body: Body,
          event: JSON.parse(Body),
          attributes: Object.fromEntries(
            Object.entries(MessageAttributes).map(([key, { StringValue }]) => [key, StringValue]),
          ),
          group: Attributes.MessageGroupId,
          deduplication: Attributes.MessageDeduplicationId,
        })
      }
      await reader.send(
        new DeleteMessageBatchCommand({
          QueueUrl,
          Entries: Messages.map(({ ReceiptHandle }, at) => ({ Id: `${at}`, ReceiptHandle })),
        }),
      )
    }
  }
  const numbered = async (): Promise<Numbered[]> =>
    (await drain()).map(({ event }) => ({ ...(event.data as Numbered), id: event.id }))
  return { name, url: QueueUrl, drain, numbered }
}
