import { SQSClient } from '@aws-sdk/client-sqs'
import { sqsPublisher } from '@oncekey/outbox/sqs'

export const broker = sqsPublisher({
  name: 'sqs',
  client: new SQSClient({}),
  queueUrl: 'https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo',
})
