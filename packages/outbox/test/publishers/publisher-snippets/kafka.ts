import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { Producer } from '@platformatic/kafka'

export const broker = kafkaPublisher({
  name: 'kafka',
  producer: new Producer({ clientId: 'shop', bootstrapBrokers: ['127.0.0.1:9092'] }),
  topic: 'orders',
})
