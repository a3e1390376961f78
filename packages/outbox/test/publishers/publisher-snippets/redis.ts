import { redisPublisher } from '@oncekey/outbox/redis'
import { Redis } from 'ioredis'

export const broker = redisPublisher({
  name: 'streams',
  client: new Redis('redis://127.0.0.1', {
    // leaves a primary that was demoted
    reconnectOnError: ({ message }) => (message.includes('READONLY') ? 2 : false),
  }),
  stream: 'shop',
  maxLength: 1_000_000, // about; without it the stream grows for ever
})
