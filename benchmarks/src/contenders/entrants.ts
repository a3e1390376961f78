import type { ContenderName } from './contenders.ts'

/** A contender as it is set up; the first two are what the others are compared with. */
export interface Entrant {
  readonly name: string
  readonly contender: ContenderName
  /** Of the `pg` pool: whether a query is sent without waiting for the answer to the one before. */
  readonly pipeline: boolean
  /** Of the store: whether its statements are prepared. */
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
