import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { Connection } from 'rabbitmq-client'

const rabbit = new Connection('amqp://guest:guest@127.0.0.1')
rabbit.on('error', console.error)
export const broker = rabbitmqPublisher({ name: 'rabbit', connection: rabbit, exchange: 'shop' })
// at the end, in this order: relay.stop(), broker.close(), rabbit.close()
