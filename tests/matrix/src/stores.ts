import type { AdapterSuiteStore } from '@oncekey/conformance'
import { everyBridge } from './bridge-stores.ts'
import { onPglite, onPool } from './postgres-stores.ts'
import { onRedis } from './redis-store.ts'
import { isWhole } from './whole.ts'

const MAIN = 'Postgres, pg'

const stores = {
  [MAIN]: () => onPool(MAIN),
  'Postgres, pg in lease mode': () => onPool('Postgres, pg in lease mode', { mode: 'lease' }),
  'Postgres, pg behind PgBouncer': () =>
    onPool('Postgres, pg behind PgBouncer', { behindPgBouncer: true }),
  PGlite: onPglite,
  Redis: onRedis,
}

export type StoreName = keyof typeof stores

/**
 * The stores for one adapter: all of them in a run of the whole matrix, otherwise the first store
 * of the table and the one that `sample` names, so that each store runs with one adapter at least.
 * Each adapter's own tests cover the memory store.
 */
export function everyStore({ sample }: { sample: StoreName }): AdapterSuiteStore[] {
  const names = Object.keys(stores) as StoreName[]
  return names
    .filter((name) => isWhole || name === MAIN || name === sample)
    .map((name) => stores[name]())
}

/** Other ways to send the same statements to the same server, which no adapter can notice. */
export function otherWires(): AdapterSuiteStore[] {
  const wires = [
    onPool('Postgres, pg that pipelines', { config: { pipeline: true } }),
    ...(isWhole ? [onPool('Postgres, pg with prepared statements', { prepare: true })] : []),
  ]
  return isWhole ? [...wires, ...everyBridge()] : wires
}
