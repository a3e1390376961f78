import type { Store } from '@oncekey/core'
import {
  type NodeRedisClient,
  type NodeRedisSubscriber,
  type RedisClient,
  type RedisSubscriber,
  redisStore,
} from '@oncekey/redis'
import type { Cluster, Redis } from 'ioredis'
import type { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import type { createClient, createCluster, createSentinel } from 'redis'
import type { createClient as createClient5, createCluster as createCluster5 } from 'redis5'
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

test('the store accepts the clients and subscribers of node-redis 5 and 6', () => {
  expectTypeOf<ReturnType<typeof createClient>>().toExtend<NodeRedisClient>()
  expectTypeOf<ReturnType<typeof createCluster>>().toExtend<NodeRedisClient>()
  expectTypeOf<ReturnType<typeof createSentinel>>().toExtend<NodeRedisClient>()
  expectTypeOf<ReturnType<typeof createClient5>>().toExtend<NodeRedisClient>()
  expectTypeOf<ReturnType<typeof createCluster5>>().toExtend<NodeRedisClient>()
  expectTypeOf<ReturnType<typeof createClient>>().toExtend<NodeRedisSubscriber>()
  expectTypeOf<ReturnType<typeof createClient5>>().toExtend<NodeRedisSubscriber>()
})

test('the store gives out no transaction', () => {
  expectTypeOf(redisStore).returns.toEqualTypeOf<Store<never>>()
})
