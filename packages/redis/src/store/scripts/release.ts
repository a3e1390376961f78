import { type Script, script, wordIn } from '../../client/script.ts'
import type { RecordKeys } from '../record/record-keys.ts'
import { releaseLua } from './lua.ts'

/**
 * Deletes the claim. For an hour, which is longer than a handler runs, the record still says that
 * the key was released: without it, a late completion could not tell a released key from a lost
 * record.
 *
 * DEL comes first and not HSET, because a full server must be able to release, too.
 */
export const releaseScript: Script<ReleaseQuestion, 'released' | 'superseded'> = script({
  name: 'release',
  text: releaseLua,
  keys: ({ keys }) => [keys.record],
  args: ({ token }) => [token, RELEASE_REMEMBERED_MS],
  reply: (raw) => wordIn(raw, ['released', 'superseded']),
})

export interface ReleaseQuestion {
  readonly keys: RecordKeys
  readonly token: string
}

export const RELEASE_REMEMBERED_MS: number = 60 * 60 * 1000
