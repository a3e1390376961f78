import type { Claim, Fingerprint } from '@oncekey/core'
import {
  bytesIn,
  integerIn,
  type Script,
  script,
  textIn,
  unreadable,
  wordIn,
} from '../../client/script.ts'
import { givenBackKey, type RecordKeys } from '../record/record-keys.ts'
import { claimLua } from './lua.ts'

/**
 * Returns the state of a key, and claims it if it is free.
 *
 * A record is a hash:
 *   v            the format of the record; a release that changes the format changes this number
 *   state        'running', 'done', or 'free' (released; kept for an hour so that a
 *                completion that comes too late is recognised)
 *   fingerprint  of the request that made the record
 *   token        of the attempt that owns the key; empty if that attempt was abandoned
 *   number       of that attempt
 *   lease_until  when the lease ends, by the server's clock, milliseconds. The key in Redis expires
 *                later, because the record must remain for the key to be `unknown`
 *   leased_at    when the lease began, by the same clock. If it is in the future, the clock was put
 *                back
 *   claimed_at   when the first attempt claimed the key, milliseconds
 *   done_at      when it was completed, milliseconds; for operators
 *   freed        '1' if the key had been released before it was claimed: see `give-back.ts`
 *   act          the name of the last act of an operator: see `../operator/done-before.lua`
 *   past         tokens of earlier attempts that are over: see `../record/past.lua`
 *   awaited      present if a process waits to be told that the attempt ended
 *   told         present if it was read with `replicas`: see `../record/tell.lua`
 */
export const claimScript: Script<ClaimQuestion, ClaimReply> = script({
  name: 'claim',
  text: claimLua,
  keys: ({ keys, claim }) => [keys.record, keys.result, givenBackKey(keys, claim.token)],
  args: ({ claim, keyRetentionMs, listens, waits }) => [
    claim.token,
    claim.leaseMs,
    Math.ceil(claim.leaseMs) + keyRetentionMs,
    claim.whenUnknown,
    listens ? '1' : '0',
    waits ? '1' : '0',
    claim.retakes ?? '',
    ...claim.fingerprints,
  ],
  reply(raw, { claim }) {
    if (!Array.isArray(raw)) {
      wordIn(raw, ['fresh'])
      return { kind: 'run', number: 1, fingerprint: claim.fingerprints[0] }
    }
    const [kind, first, second] = raw
    switch (textIn(kind)) {
      case 'run':
        return { kind: 'run', number: integerIn(first), fingerprint: textIn(second) }
      case 'replay':
        return { kind: 'replay', fingerprint: textIn(first), result: bytesIn(second) }
      case 'in-progress':
        return { kind: 'in-progress', leaseLeftMs: integerIn(first) }
      case 'mismatch':
        return { kind: 'mismatch' }
      case 'unknown':
        return { kind: 'unknown', attempt: textIn(second), since: new Date(integerIn(first)) }
      case 'result-gone':
        return { kind: 'result-gone' }
      case 'newer':
        return { kind: 'newer', version: textIn(first) }
      default:
        throw unreadable(kind)
    }
  },
})

export interface ClaimQuestion {
  readonly keys: RecordKeys
  readonly claim: Claim
  readonly keyRetentionMs: number
  readonly listens: boolean
  /** Whether `WAIT` follows. */
  readonly waits: boolean
}

export type ClaimReply =
  | { readonly kind: 'run'; readonly number: number; readonly fingerprint: Fingerprint }
  | { readonly kind: 'replay'; readonly fingerprint: Fingerprint; readonly result: Buffer }
  | { readonly kind: 'in-progress'; readonly leaseLeftMs: number }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'unknown'; readonly attempt: string; readonly since: Date }
  | { readonly kind: 'result-gone' }
  /** Another release wrote it, in a format that this one does not know. */
  | { readonly kind: 'newer'; readonly version: string }
