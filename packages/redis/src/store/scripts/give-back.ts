import { type Script, script, wordIn } from '../../client/script.ts'
import { givenBackKey, type RecordKeys } from '../record/record-keys.ts'
import { giveBackLua } from './lua.ts'
import { RELEASE_REMEMBERED_MS } from './release.ts'

/**
 * Undoes a claim whose handler never ran. A key that was free is free again. If it had been
 * released before, it says so again, as `release.ts` leaves it, because the released attempt may
 * yet complete. A key taken over from an attempt without an outcome is `unknown` again, because
 * that attempt may have had effects.
 *
 * The claim itself may still come: it can be redirected in a cluster, or wait in the socket of a
 * lost connection. The mark of its token has it win nothing then.
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

/** How long a claim can be on its way. A minute. */
const LEAST_MARKED_MS = 60_000
