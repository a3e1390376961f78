import type { KeyDetail, KeyName } from '@oncekey/core'
import { bytesIn, integerIn, listIn, type Script, script, textIn } from '../../client/script.ts'
import type { RecordKeys } from '../record/record-keys.ts'
import { responseIn } from '../record/result-bytes.ts'
import { refuseNewer } from './key-state.ts'
import { findKeyLua } from './lua.ts'

/** Reads everything known of a key, and writes nothing. */
export const findKeyScript: Script<FindKey, KeyDetail | undefined> = script({
  name: 'find-key',
  text: findKeyLua,
  keys: ({ keys }) => [keys.record, keys.result],
  args: () => [],
  reply(raw, { name, body }) {
    const fields = listIn(raw)
    refuseNewer(fields)
    const state = textIn(fields[0])
    if (state === 'absent') return undefined
    const [, fingerprint, number, claimedAt, leaseUntil, doneAt, result] = fields
    const summary = { ...name, fingerprint: textIn(fingerprint) }
    if (state === 'running' || state === 'unknown') {
      const until = timeIn(leaseUntil) ?? new Date(0)
      const attempt = {
        number: integerIn(number),
        claimedAt: timeIn(claimedAt) ?? until,
        leaseUntil: until,
      }
      return { ...summary, state, attempt, status: null, completedAt: null, response: null }
    }
    const done = { ...summary, attempt: null, completedAt: timeIn(doneAt) }
    if (state !== 'finished') return { ...done, state: 'result-gone', status: null, response: null }
    const response = responseIn(bytesIn(result))
    const bodyBytes = response.body?.length ?? 0
    return {
      ...done,
      state,
      status: response.status,
      response: { ...response, body: body ? response.body : null, bodyBytes },
    }
  },
})

export interface FindKey {
  readonly keys: RecordKeys
  readonly name: KeyName
  readonly body: boolean
}

/** `null` if the release that wrote the record did not store this time. */
function timeIn(raw: unknown): Date | null {
  return textIn(raw) === '' ? null : new Date(integerIn(raw))
}
