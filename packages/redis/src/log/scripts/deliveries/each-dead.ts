import type { Resolution } from '@oncekey/core'
import { listIn, wordIn } from '../../../client/script.ts'

/**
 * Lua that goes through numbered deliveries. There are four KEYS per group; the second holds its
 * dead letters. ARGV, from `first` on, has for each group a count and then that many numbers. For a
 * delivery that meets `isMeant` it runs `change`, which sees `i`, `n` and `state`, and notes
 * `outcome`. For any other it notes the state that the delivery is in, or that its consumer was
 * retired.
 */
export function eachDeadLua(
  first: number,
  isMeant: string,
  change: string,
  outcome: string,
): string {
  return `
local at, outcomes = ${first}, {}
for i = 1, #KEYS, 4 do
  local last = at + ARGV[at]
  for d = at + 1, last do
    local n = ARGV[d]
    local state = state_of(KEYS[i], n)
    if state and ${isMeant} then
${change}
      redis.call('ZREM', KEYS[i + 1], n)
      outcomes[#outcomes + 1] = '${outcome}'
    else
      outcomes[#outcomes + 1] = state and state.state == 'dead' and 'retired' or word_of(state)
    end
  end
  at = last + 1
end
return outcomes
`
}

/** The answer of that Lua: an outcome for each number, with the id of its delivery. */
export function outcomesOf<Word extends string>(
  raw: unknown,
  slots: readonly { readonly slot: number; readonly numbers: readonly (string | number)[] }[],
  words: readonly Word[],
): { id: string; outcome: Word }[] {
  const outcomes = listIn(raw)
  return slots
    .flatMap(({ slot, numbers }) => numbers.map((number) => `${slot}-${number}`))
    .map((id, at) => ({ id, outcome: wordIn(outcomes[at], words) }))
}

/** The outcomes of {@link Resolution}. */
export const OUTCOMES: readonly Resolution['outcome'][] = [
  'discarded',
  'already-done',
  'already-discarded',
  'retrying',
  'not-matched',
  'retired',
  'unknown',
]
