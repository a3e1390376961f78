import { type Script, script, wordIn } from '../../client/script.ts'
import type { RecordKeys } from '../record/record-keys.ts'
import { giveBackLua } from './lua.ts'
import { RELEASE_REMEMBERED_MS } from './release.ts'

/**
 * Undoes a claim whose handler never ran. A key that was free is free again. If it had been
 * released before, it says so again, as `release.ts` leaves it, because the released attempt may
 * yet complete. A key taken over from an attempt without an outcome is `unknown` again, because
 * that attempt may have had effects.
 */
export const giveBackScript: Script<GiveBackQuestion, 'given-back' | 'superseded'> = script({
  name: 'give-back',
  text: giveBackLua,
  keys: ({ keys }) => [keys.record],
  args: ({ token, keyRetentionMs }) => [token, keyRetentionMs, RELEASE_REMEMBERED_MS],
  reply: (raw) => wordIn(raw, ['given-back', 'superseded']),
})

export interface GiveBackQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly keyRetentionMs: number
}
