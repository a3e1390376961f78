import type { Store } from '@oncekey/core'
import { scriptRunner } from '../client/run-script.ts'
import { attempts } from './attempts.ts'
import { beginning } from './begin.ts'
import { givingBack } from './give-back.ts'
import { lateEnds } from './late-ends.ts'
import { redisKeys } from './operator/keys.ts'
import { redisOperations } from './operator/operations.ts'
import { type RedisStoreOptions, resolveOptions } from './options.ts'
import { endings } from './record/endings.ts'

/**
 * A {@link Store} in Redis: a single server, Sentinel or Cluster, through ioredis or node-redis.
 * Each operation is one script: a fresh request takes two round trips, a replay one. It works in
 * lease mode, and leases are measured by the server's clock.
 *
 * It has no `transaction()`. Responses are as durable as the server makes them (`appendonly`), and
 * the server must never evict keys. Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis'
 *
 * const client = new Redis(process.env.REDIS_URL)
 * const store = redisStore({ client, subscriber: client.duplicate() })
 * const once = idempotency({ store, scope: (req) => req.user.id })
 * ```
 */
export function redisStore(options: RedisStoreOptions): Store<never> {
  const resolved = resolveOptions(options)
  const { keyRetentionMs, resultRetentionMs, replicas } = resolved
  const scripts = scriptRunner(resolved)
  const giveBack = givingBack(scripts, resolved)
  const late = lateEnds(resolved.commandTimeoutMs)
  const shared = { options: resolved, scripts, ends: endings(resolved.subscriber), late }
  const { wonBy, open } = attempts(shared)

  return {
    capabilities: { name: 'redis', mode: 'lease', transactions: false, concurrency: 'many' },
    begin: beginning({ ...shared, giveBack, wonBy }),
    open: async () => open(),
    async settle({ withinMs }) {
      const open = [late.settled(withinMs), giveBack.settled(withinMs)]
      return (await Promise.all(open)).reduce((sum, each) => sum + each)
    },
    keys: redisKeys({ scripts, replicas, keyRetentionMs, resultRetentionMs }),
    operations: redisOperations(scripts),
  }
}
