import type { AdapterSuiteStore } from '@oncekey/conformance'
import { onPglite, onPool } from './postgres-stores.ts'
import { onRedis } from './redis-store.ts'

/** Every store there is, and every way to talk to it. The memory store is with each adapter's own tests. */
export function everyStore(): AdapterSuiteStore[] {
  return [
    onPool('Postgres, pg'),
    onPool('Postgres, pg that pipelines', { config: { pipeline: true } }),
    onPool('Postgres, pg with prepared statements', { prepare: true }),
    onPool('Postgres, pg in lease mode', { mode: 'lease' }),
    onPglite(),
    onRedis(),
  ]
}
