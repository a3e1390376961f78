import type { Behaviour, BehaviourGroup } from '../../behaviour/behaviour.ts'
import type { Need } from '../../store/fixture/store-fixture.ts'
import type { AdapterContext } from './adapter-context.ts'

/** Something that handlers of some frameworks cannot express. */
export type Expression = 'removed headers' | 'the end of a connection'

/** One sentence of the adapter contract. */
export interface AdapterBehaviour extends Behaviour<AdapterContext, Need> {
  /** What the framework has to be able to express. */
  readonly expresses?: Expression
}

export type AdapterBehaviourGroup = BehaviourGroup<AdapterBehaviour>
