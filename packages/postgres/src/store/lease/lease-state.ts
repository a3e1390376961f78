import type { Decision } from '@oncekey/core'
import type { ResolvedOptions } from '../attempt/options.ts'
import { type StoreState, storeState } from '../attempt/store-state.ts'
import { type Endings, endings } from './endings.ts'
import { type Renewals, renewals } from './renewals.ts'

/** A store in lease mode: its options, and what it knows in this process. */
export interface LeaseState<Tx> extends StoreState<Tx> {
  /** By token, the attempts that run in this process: a claim sent again gets the same one. */
  readonly own: Map<string, Decision<Tx>>
  readonly renewals: Renewals
  readonly endings: Endings
}

export function leaseState<Tx>(options: ResolvedOptions<Tx>): LeaseState<Tx> {
  const state = storeState(options)
  return { ...state, own: new Map(), renewals: renewals(state), endings: endings(state) }
}
