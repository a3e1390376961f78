import type { BridgeUnderTest } from './bridge.ts'
import { drizzleBridges } from './drizzle.ts'
import { knexBridge } from './knex.ts'
import { kysely } from './kysely.ts'
import { postgresJs } from './postgres-js.ts'
import { typeorm } from './typeorm.ts'

/** Every library with a bridge, on a real server. */
export const bridges: readonly BridgeUnderTest[] = [
  ...drizzleBridges,
  knexBridge,
  kysely,
  postgresJs,
  typeorm,
]
