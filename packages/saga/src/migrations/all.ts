import { sagaTables } from './0001-saga-tables.ts'
import { sagaFunctions } from './0002-saga-functions.ts'
import { sagaInterventions } from './0003-saga-interventions.ts'
import { sagaTraces } from './0004-saga-traces.ts'
import { sagaMoves } from './0005-saga-moves.ts'
import { rolesOfSteps } from './roles-of-steps.ts'

/** In order; the first is version 1. A migration that was released is never changed. */
export const migrations: readonly ((schema: string) => string[])[] = [
  sagaTables,
  sagaFunctions,
  sagaInterventions,
  sagaTraces,
  sagaMoves,
  rolesOfSteps,
]
