import { functionsWithoutJit, type PackageMigrations } from '@oncekey/postgres/client'
import { sagaTables } from './0001-saga-tables.ts'
import { sagaFunctions } from './0002-saga-functions.ts'
import { sagaInterventions } from './0003-saga-interventions.ts'
import { sagaTraces } from './0004-saga-traces.ts'
import { sagaMoves } from './0005-saga-moves.ts'
import { sagaWholeMoves } from './0007-saga-whole-moves.ts'
import { settleWhatWaits } from './0008-settle-what-waits.ts'
import { auditOfSagas } from './audit-of-sagas.ts'
import { sagaCommentsAndViews } from './comments-and-views.ts'
import { droppedActs } from './dropped-acts.ts'
import { droppedWrites } from './dropped-writes.ts'
import { resumedWaits } from './resumed-waits.ts'
import { rolesOfSteps } from './roles-of-steps.ts'
import { suspectsAlone } from './suspects-alone.ts'

/** The tables of sagas, for `migrate` of `@oncekey/postgres`. */
export const sagaMigrations: PackageMigrations = {
  package: 'saga',
  // In order, starting with version 1. A released migration never changes.
  migrations: [
    sagaTables,
    sagaFunctions,
    sagaInterventions,
    sagaTraces,
    sagaMoves,
    rolesOfSteps,
    sagaWholeMoves,
    settleWhatWaits,
    functionsWithoutJit,
    auditOfSagas,
    sagaCommentsAndViews,
    droppedWrites,
    droppedActs,
    suspectsAlone,
    resumedWaits,
  ],
}
