import { integerIn, type Script, script } from '../../../client/script.ts'
import { partitionKeys, retiredKey } from '../../keys/slot-keys.ts'
import { isRetiredLua } from './lua.ts'

/** Whether a consumer was retired; with `begins`, removes that mark so that it can start anew. */
export const isRetiredScript: Script<IsRetiredQuestion, boolean> = script({
  name: 'is-retired',
  text: isRetiredLua,
  keys: ({ consumer }) => [retiredKey(consumer), partitionKeys(consumer).paused],
  args: ({ begins }) => [begins ? 1 : 0],
  reply: (raw) => integerIn(raw) === 1,
})

export interface IsRetiredQuestion {
  readonly consumer: string
  readonly begins: boolean
}
