import { integerIn, type Script, script, wordIn } from '../../../client/script.ts'
import { partitionKeys } from '../../keys/slot-keys.ts'
import { isPausedLua, pauseLua, resumeLua } from './lua.ts'

/** Pauses a consumer and writes the audit entry. */
export const pauseScript: Script<PausingQuestion, PausingOutcome> = pausing('pause', pauseLua)

/** Resumes a consumer and writes the audit entry. */
export const resumeScript: Script<PausingQuestion, PausingOutcome> = pausing('resume', resumeLua)

export const isPausedScript: Script<{ readonly consumer: string }, boolean> = script({
  name: 'is-paused',
  text: isPausedLua,
  keys: ({ consumer }) => [partitionKeys(consumer).paused],
  args: () => [],
  reply: (raw) => integerIn(raw) === 1,
})

export interface PausingQuestion {
  readonly consumer: string
  readonly actor: string
  readonly target: string
  readonly note: string
}

/** `already`: the consumer was already paused, or not paused. */
export type PausingOutcome = 'done' | 'already' | 'unknown'

function pausing(name: string, text: string): Script<PausingQuestion, PausingOutcome> {
  return script({
    name,
    text,
    keys({ consumer }) {
      const { subscriptions, paused, operations } = partitionKeys(consumer)
      return [subscriptions, paused, operations]
    },
    args: ({ actor, target, note }) => [actor, target, note],
    reply: (raw) => wordIn(raw, ['done', 'already', 'unknown']),
  })
}
