import type { Store } from '@oncekey/core'
import {
  type GlideClient,
  type GlideSubscriber,
  type NodeRedisClient,
  type NodeRedisSubscriber,
  type RedisClient,
  type RedisSubscriber,
  type redisLog,
  redisStore,
} from '@oncekey/redis'
import type { GlideClient as Glide, GlideClusterClient } from '@valkey/valkey-glide'
import type { Cluster, Redis } from 'ioredis'
import type { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import type { Redis as Valkey, Cluster as ValkeyCluster } from 'iovalkey'
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

test('the store accepts the clients and subscribers of iovalkey', () => {
  expectTypeOf<Valkey>().toExtend<RedisClient>()
  expectTypeOf<ValkeyCluster>().toExtend<RedisClient>()
  expectTypeOf<Valkey>().toExtend<RedisSubscriber>()
})

test('the store accepts the clients and subscribers of valkey-glide', () => {
  expectTypeOf<Glide>().toExtend<GlideClient>()
  expectTypeOf<GlideClusterClient>().toExtend<GlideClient>()
  expectTypeOf<Glide>().toExtend<GlideSubscriber>()
  expectTypeOf<GlideClusterClient>().toExtend<GlideSubscriber>()
})

test('the log accepts what the store accepts', () => {
  type OfLog = Parameters<typeof redisLog>[0]['client']
  expectTypeOf<OfLog>().toEqualTypeOf<Parameters<typeof redisStore>[0]['client']>()
})

test('the store gives out no transaction', () => {
  expectTypeOf(redisStore).returns.toEqualTypeOf<Store<never>>()
})
