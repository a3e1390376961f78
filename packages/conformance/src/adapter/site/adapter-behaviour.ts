import type { Behaviour, BehaviourGroup } from '../../behaviour/behaviour.ts'
import type { Need } from '../../store/fixture/store-fixture.ts'
import type { AdapterContext } from './adapter-context.ts'

/** What handlers of some frameworks cannot say. */
export type Expression = 'removed headers'

/** One sentence of the adapter contract. */
export interface AdapterBehaviour extends Behaviour<AdapterContext, Need> {
  /** What not every framework has words for. */
  readonly expresses?: Expression
}

export type AdapterBehaviourGroup = BehaviourGroup<AdapterBehaviour>
