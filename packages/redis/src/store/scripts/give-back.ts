import { type Script, script, wordIn } from '../../client/script.ts'
import { givenBackKey, type RecordKeys } from '../record/record-keys.ts'
import { giveBackLua } from './lua.ts'
import { RELEASE_REMEMBERED_MS } from './release.ts'

/**
 * Undoes a claim whose handler never ran. A key that was free is free again. If it had been
 * released before, the mark of the release is restored (see `release.ts`), because the released
 * attempt may still try to complete. A key that was taken over from an attempt without an outcome
 * is `unknown` again, because that attempt may have had effects.
 *
 * The claim itself may arrive later: it can be redirected in a cluster, or wait in the socket of a
 * lost connection. Because its token is marked, it then wins nothing.
 */
export const giveBackScript: Script<GiveBackQuestion, 'given-back'> = script({
  name: 'give-back',
  text: giveBackLua,
  keys: ({ keys, token }) => [keys.record, givenBackKey(keys, token)],
  args: ({ token, leaseMs, keyRetentionMs }) => [
    token,
    keyRetentionMs,
    RELEASE_REMEMBERED_MS,
    Math.max(Math.ceil(leaseMs), LEAST_MARKED_MS),
  ],
  reply: (raw) => wordIn(raw, ['given-back']),
})

export interface GiveBackQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly leaseMs: number
  readonly keyRetentionMs: number
}

/** How long a claim can be on its way: a minute. */
const LEAST_MARKED_MS = 60_000
