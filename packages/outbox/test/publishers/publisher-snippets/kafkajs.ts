import { kafkaPublisher } from '@oncekey/outbox/kafka'
import { Kafka } from 'kafkajs'

const producer = new Kafka({ clientId: 'shop', brokers: ['127.0.0.1:9092'] }).producer()
await producer.connect()
export const broker = kafkaPublisher({ name: 'kafka', producer, topic: 'orders' })
