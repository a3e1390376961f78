import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { inbox } from '@oncekey/postgres'
import { Pool } from 'pg'

const sqs = new SQSClient({})
const billing = inbox({ client: new Pool(), consumer: 'billing' })
const QueueUrl = 'https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo'

export async function takeMessages(): Promise<void> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
  )
  for (const { Body = '', ReceiptHandle } of Messages) {
    const event = JSON.parse(Body)
    await billing.take(event.id, async ({ transaction }) => {
      await transaction.query('insert into charges (order_id) values ($1)', [event.subject])
    })
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
  }
}
