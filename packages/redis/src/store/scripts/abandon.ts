import type { Fingerprint } from '@oncekey/core'
import { type Script, script, wordIn } from '../../client/script.ts'
import { givenBackKey, type RecordKeys } from '../record/record-keys.ts'
import { abandonLua } from './lua.ts'
import { RELEASE_REMEMBERED_MS } from './release.ts'

/**
 * Makes the key `unknown`: its lease is over, and no token owns it. If the record was lost (see
 * `complete.ts`), it is written again in that state, so that a claim with `hold` does not run. As
 * after a release, a late copy of the attempt's own claim wins nothing.
 */
export const abandonScript: Script<AbandonQuestion, 'abandoned' | 'superseded'> = script({
  name: 'abandon',
  text: abandonLua,
  keys: ({ keys, token }) => [keys.record, givenBackKey(keys, token)],
  args: ({ token, number, fingerprint, keyRetentionMs }) => [
    token,
    number,
    fingerprint,
    keyRetentionMs,
    RELEASE_REMEMBERED_MS,
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
