import { redisPublisher } from '@oncekey/outbox/redis'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

test('refuses invalid options at construction', () => {
  const client = new Redis({ lazyConnect: true })
  const made = (options: object) => () =>
    redisPublisher({ name: 'x', client, stream: 's', ...options })
  expect(made({ client: {} })).toThrow(/new Redis\(url\)/)
  expect(made({ stream: '' })).toThrow(/stream must be/)
  expect(made({ maxLength: 0 })).toThrow(/whole number/)
})
