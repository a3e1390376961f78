import { type Script, script, wordIn } from '../../client/script.ts'
import { givenBackKey, type RecordKeys } from '../record/record-keys.ts'
import { releaseLua } from './lua.ts'

/**
 * Deletes the claim, and leaves a mark that the key was released. The mark stays for an hour, which
 * is longer than a handler runs: by it, a late completion tells a released key from a lost record.
 * A second mark, of the token, has a late copy of the claim win nothing.
 *
 * The script begins with DEL, not HSET, so that it runs on a full server, too.
 */
export const releaseScript: Script<ReleaseQuestion, 'released' | 'superseded'> = script({
  name: 'release',
  text: releaseLua,
  keys: ({ keys, token }) => [keys.record, givenBackKey(keys, token)],
  args: ({ token, number }) => [token, number, RELEASE_REMEMBERED_MS],
  reply: (raw) => wordIn(raw, ['released', 'superseded']),
})

export interface ReleaseQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly number: number
}

export const RELEASE_REMEMBERED_MS: number = 60 * 60 * 1000
