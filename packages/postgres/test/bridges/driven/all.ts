import type { BridgeUnderTest } from './bridge.ts'
import { drizzleBridges } from './drizzle.ts'
import { knexBridge } from './knex.ts'
import { kysely } from './kysely.ts'
import { mikroOrm } from './mikro-orm.ts'
import { pgPromiseBridge } from './pg-promise.ts'
import { postgresJs } from './postgres-js.ts'
import { prismaBridge } from './prisma.ts'
import { sequelizeBridge } from './sequelize.ts'
import { slonik } from './slonik.ts'
import { typeorm } from './typeorm.ts'

/** Every library with a bridge, on a real server. */
export const everyBridge: readonly BridgeUnderTest[] = [
  ...drizzleBridges,
  knexBridge,
  kysely,
  mikroOrm,
  pgPromiseBridge,
  postgresJs,
  prismaBridge,
  sequelizeBridge,
  slonik,
  typeorm,
]

/** These stand on the `pg` port in the same way, so in most runs only the short tests have them. */
const onPg = [mikroOrm, pgPromiseBridge, prismaBridge, sequelizeBridge]

/** The libraries for the long tests: every one in `pnpm test:whole`. */
export const bridges: readonly BridgeUnderTest[] =
  process.env.MATRIX === 'whole'
    ? everyBridge
    : everyBridge.filter((bridge) => !onPg.includes(bridge))
