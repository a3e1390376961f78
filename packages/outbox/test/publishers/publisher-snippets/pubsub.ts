import { PubSub } from '@google-cloud/pubsub'
import { pubSubPublisher } from '@oncekey/outbox/pubsub'

const topic = new PubSub().topic('orders', {
  messageOrdering: true,
  batching: { maxMessages: 1 }, // an ordering key has one event at a time under way
  gaxOpts: { retry: null, timeout: 10_000 }, // the relay tries again
})
export const broker = pubSubPublisher({ name: 'pubsub', topic })
