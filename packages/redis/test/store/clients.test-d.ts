import type { Store } from '@oncekey/core'
import { type RedisClient, type RedisSubscriber, redisStore } from '@oncekey/redis'
import type { Cluster, Redis } from 'ioredis'
import type { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { expectTypeOf, test } from 'vitest'

test('the store accepts the clients of ioredis 5 and 6', () => {
  expectTypeOf<Redis>().toExtend<RedisClient>()
  expectTypeOf<Cluster>().toExtend<RedisClient>()
  expectTypeOf<Redis5>().toExtend<RedisClient>()
  expectTypeOf<Cluster5>().toExtend<RedisClient>()
})

test('the store accepts their subscribers', () => {
  expectTypeOf<Redis>().toExtend<RedisSubscriber>()
  expectTypeOf<Cluster>().toExtend<RedisSubscriber>()
  expectTypeOf<Redis5>().toExtend<RedisSubscriber>()
  expectTypeOf<Cluster5>().toExtend<RedisSubscriber>()
})

test('the store gives out no transaction', () => {
  expectTypeOf(redisStore).returns.toEqualTypeOf<Store<never>>()
})
