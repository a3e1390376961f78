import { amqplibConnection } from '@oncekey/outbox/amqplib'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { connect } from 'amqplib'

const connection = amqplibConnection(() => connect('amqp://guest:guest@127.0.0.1'))
export const broker = rabbitmqPublisher({ name: 'rabbit', connection, exchange: 'shop' })
// at the end, in this order: relay.stop(), broker.close()
