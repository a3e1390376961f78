import type { ContenderName } from './contenders.ts'

/** A contender with its setup. Ratios compare every entrant with the first two. */
export interface Entrant {
  readonly name: string
  readonly contender: ContenderName
  /** For the `pg` pool: whether a query is sent without waiting for the previous answer. */
  readonly pipeline: boolean
  /** For the store: whether its statements are prepared. */
  readonly prepare: boolean
}

export const entrants: readonly Entrant[] = [
  { name: 'bare transaction', contender: 'bare transaction', pipeline: false, prepare: false },
  {
    name: 'claim, commit, then work',
    contender: 'claim, then work',
    pipeline: false,
    prepare: false,
  },
  { name: 'Oncekey', contender: 'Oncekey', pipeline: false, prepare: false },
  { name: 'Oncekey, pipeline', contender: 'Oncekey', pipeline: true, prepare: false },
  { name: 'Oncekey, prepare', contender: 'Oncekey', pipeline: false, prepare: true },
  { name: 'Oncekey, pipeline, prepare', contender: 'Oncekey', pipeline: true, prepare: true },
]
