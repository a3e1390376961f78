import type { AdapterSuiteStore } from '@oncekey/conformance'
import { everyBridge } from './bridge-stores.ts'
import { onPglite, onPool } from './postgres-stores.ts'
import { onRedis } from './redis-store.ts'

/** Every store there is. The memory store is with each adapter's own tests. */
export function everyStore(): AdapterSuiteStore[] {
  return [
    onPool('Postgres, pg'),
    onPool('Postgres, pg in lease mode', { mode: 'lease' }),
    onPool('Postgres, pg behind PgBouncer', { behindPgBouncer: true }),
    onPglite(),
    onRedis(),
  ]
}

/** Other ways for the same statements to reach the same server: below what an adapter can tell. */
export function otherWires(): AdapterSuiteStore[] {
  return [
    onPool('Postgres, pg that pipelines', { config: { pipeline: true } }),
    onPool('Postgres, pg with prepared statements', { prepare: true }),
    ...everyBridge(),
  ]
}
