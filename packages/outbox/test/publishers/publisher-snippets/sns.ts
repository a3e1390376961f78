import { SNSClient } from '@aws-sdk/client-sns'
import { snsPublisher } from '@oncekey/outbox/sns'

export const broker = snsPublisher({
  name: 'sns',
  client: new SNSClient({}),
  topicArn: 'arn:aws:sns:eu-central-1:123456789012:orders.fifo',
})
