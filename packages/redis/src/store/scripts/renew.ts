import type { Fingerprint } from '@oncekey/core'
import { type Script, script, wordIn } from '../../client/script.ts'
import { givenBackKey, type RecordKeys } from '../record/record-keys.ts'
import { renewLua } from './lua.ts'

/**
 * Extends the lease, counted from now. It does so even if the lease has ended, unless somebody took
 * the key. If the record was lost (see `complete.ts`), it is written again, so that from the first
 * renewal after a failover, retries are held off again.
 */
export const renewScript: Script<RenewQuestion, 'held' | 'stale'> = script({
  name: 'renew',
  text: renewLua,
  keys: ({ keys, token }) => [keys.record, givenBackKey(keys, token)],
  args: ({ token, number, fingerprint, leaseMs, keyRetentionMs }) => [
    token,
    number,
    fingerprint,
    leaseMs,
    Math.ceil(leaseMs) + keyRetentionMs,
  ],
  reply: (raw) => wordIn(raw, ['held', 'stale']),
})

export interface RenewQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly number: number
  readonly fingerprint: Fingerprint
  readonly leaseMs: number
  readonly keyRetentionMs: number
}
