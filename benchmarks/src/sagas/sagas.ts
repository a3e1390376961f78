import { bareSteps } from './bare-steps.ts'
import { dbos } from './dbos.ts'
import { oncekey } from './oncekey.ts'
import type { OpenSagas } from './saga-contender.ts'

/** The contenders by the names that programs take; ratios relate to the first and the last. */
export const sagas = {
  'bare transactions': bareSteps,
  'Oncekey, local steps': oncekey(true),
  'Oncekey, outside steps': oncekey(false),
  'DBOS, runStep': dbos,
} satisfies Record<string, OpenSagas>

export type SagaName = keyof typeof sagas
