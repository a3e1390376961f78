import type { Decision } from '@oncekey/core'
import type { ResolvedOptions } from '../attempt/options.ts'
import { type StoreState, storeState } from '../attempt/store-state.ts'
import { type Endings, endings } from './endings.ts'
import { type GiveBack, givingBack } from './give-back.ts'
import { type Renewals, renewals } from './renewals.ts'

/** A store in lease mode: its options, and the attempts that run in this process. */
export interface LeaseState<Tx> extends StoreState<Tx> {
  /**
   * The decisions of attempts that run in this process, by token: a claim that is sent again gets
   * the same one.
   */
  readonly own: Map<string, Decision<Tx>>
  readonly renewals: Renewals
  readonly giveBack: GiveBack
  readonly endings: Endings
}

export function leaseState<Tx>(options: ResolvedOptions<Tx>): LeaseState<Tx> {
  const state = storeState(options)
  const own = new Map<string, Decision<Tx>>()
  return {
    ...state,
    own,
    renewals: renewals(state),
    giveBack: givingBack(state, own),
    endings: endings(state),
  }
}
