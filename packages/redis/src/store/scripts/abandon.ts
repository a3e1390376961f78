import type { Fingerprint } from '@oncekey/core'
import { type Script, script, wordIn } from '../../client/script.ts'
import type { RecordKeys } from '../record/record-keys.ts'
import { abandonLua } from './lua.ts'

/**
 * Makes the key `unknown`: its lease is over, and no token owns it. If the record was lost (see
 * `complete.ts`), it is written again in that state, so that a claim with `hold` does not run.
 */
export const abandonScript: Script<AbandonQuestion, 'abandoned' | 'superseded'> = script({
  name: 'abandon',
  text: abandonLua,
  keys: ({ keys }) => [keys.record],
  args: ({ token, number, fingerprint, keyRetentionMs }) => [
    token,
    number,
    fingerprint,
    keyRetentionMs,
  ],
  reply: (raw) => wordIn(raw, ['abandoned', 'superseded']),
})

export interface AbandonQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly number: number
  readonly fingerprint: Fingerprint
  readonly keyRetentionMs: number
}
