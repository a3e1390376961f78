import type { Completion, Fingerprint } from '@oncekey/core'
import { type Script, script, wordIn } from '../../client/script.ts'
import { entryArguments } from '../../stream/outbox-entry.ts'
import { givenBackKey, type RecordKeys } from '../record/record-keys.ts'
import { bodyArgument, headText } from '../record/result-bytes.ts'
import { completeLua } from './lua.ts'

/**
 * Stores the response and appends the events, or does nothing.
 *
 * A missing record was lost by a failover or a restart: if somebody had claimed or released the key
 * since, there would be a record. A failover also brings a record back as it was before the claim
 * (`../record/attempt-state.lua`). The attempt did run, so its response is stored: if it were
 * refused, the next retry would run the handler again.
 *
 * Commands that can fail come first: a full server refuses SET, and XADD refuses a key that holds
 * no stream. If the script fails in between, the result that it has written is never read, because
 * its record is not 'done'.
 */
export const completeScript: Script<CompleteQuestion, 'stored' | 'superseded'> = script({
  name: 'complete',
  text: completeLua,
  keys: ({ keys, token }) => [keys.record, givenBackKey(keys, token), keys.result, keys.outbox],
  args: ({ token, number, fingerprint, completion, keyRetentionMs, resultRetentionMs }) => {
    const { response } = completion
    return [
      token,
      number,
      fingerprint,
      keyRetentionMs,
      response.body === null ? 0 : resultRetentionMs,
      response.body === null ? '' : headText(response),
      response.body === null ? '' : bodyArgument(response.body),
      ...(completion.writes === 'keep' ? entryArguments(completion.events) : []),
    ]
  },
  reply: (raw) => wordIn(raw, ['stored', 'superseded']),
})

export interface CompleteQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly number: number
  readonly fingerprint: Fingerprint
  readonly completion: Completion
  readonly keyRetentionMs: number
  readonly resultRetentionMs: number
}
