import type { Resolution } from '@oncekey/core'
import { listIn, wordIn } from '../../../client/script.ts'

/** Reads the reply of `each-dead.lua`: an outcome for each number, with the id of its delivery. */
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
