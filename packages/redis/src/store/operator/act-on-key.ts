import type { Act, ActResult, KeyName, StoredResponse } from '@oncekey/core'
import { keyTarget } from '@oncekey/core'
import { listIn, type Script, type ScriptArgument, script, wordIn } from '../../client/script.ts'
import { ENDED_CHANNEL } from '../record/endings.ts'
import { ID_IN_RECORD_KEY, type RecordKeys } from '../record/record-keys.ts'
import { bodyArgument, headText } from '../record/result-bytes.ts'
import { RECORD_VERSION } from '../scripts/claim.ts'
import { RELEASE_REMEMBERED_MS } from '../scripts/release.ts'
import { KEY_STATE, refuseNewer } from './key-state.ts'

/**
 * An act on a key and its entry in the audit, as one script, so that both exist or neither. The
 * entry comes first, because a full server refuses that write.
 */
const ENTRY = `
redis.call('XADD', KEYS[3], '*', 'act', ARGV[1], 'actor', ARGV[2], 'target', ARGV[3],
  'note', ARGV[4], 'detail', ARGV[5], 'fingerprint', fingerprint)
`

/** Forgets what is on record, but for the hour in which the attempt that made it may come late. */
const FREE = `
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free')
redis.call('PEXPIRE', KEYS[1], '${RELEASE_REMEMBERED_MS}')
`

const WAKE = `
if awaited then
  redis.call('HDEL', KEYS[1], 'awaited')
  redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
end
return {'done'}
`

const COMMENT = `
-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the audit of its partition
-- ARGV[1]   the act
-- ARGV[2]   who
-- ARGV[3]   on which key
-- ARGV[4]   why
-- ARGV[5]   what it wrote, as JSON`

export const releaseKeyScript: Script<ActOnKey, ActResult> = actScript(
  'release-key',
  `${COMMENT}
${KEY_STATE}
if found ~= 'unknown' then
  return {found}
end
${ENTRY}${FREE}${WAKE}`,
  () => [],
)

export const forgetKeyScript: Script<ActOnKey & { readonly confirmed: string }, ActResult> =
  actScript(
    'forget-key',
    `${COMMENT}
-- ARGV[6]   the fingerprint that confirms it
${KEY_STATE}
if found ~= 'finished' and found ~= 'result-gone' then
  return {found}
end
if fingerprint ~= ARGV[6] then
  return {'other-request'}
end
${ENTRY}${FREE}${WAKE}`,
    ({ confirmed }) => [confirmed],
  )

export const answerKeyScript: Script<AnswerKey, ActResult> = actScript(
  'answer-key',
  `${COMMENT}
-- ARGV[6]   how long to remember the key, milliseconds
-- ARGV[7]   how long to keep the result, milliseconds; '0' for not at all
-- ARGV[8]   the head of the result
-- ARGV[9]   its body
${KEY_STATE}
if found ~= 'unknown' then
  return {found}
end
${ENTRY}
if ARGV[7] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], struct.pack('>I4', #ARGV[8]) .. ARGV[8] .. ARGV[9], 'PX', ARGV[7])
end
local time = redis.call('TIME')
-- No token: the attempt that comes late must not take this for its own completion.
redis.call('HSET', KEYS[1], 'state', 'done', 'token', '',
  'done_at', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
${WAKE}`,
  ({ response, keyRetentionMs, resultRetentionMs }) => [
    keyRetentionMs,
    response.body === null ? 0 : resultRetentionMs,
    response.body === null ? '' : headText(response),
    response.body === null ? '' : bodyArgument(response.body),
  ],
)

export interface ActOnKey {
  readonly keys: RecordKeys
  readonly name: KeyName
  readonly verb: string
  readonly act: Act
  readonly detail: Readonly<Record<string, unknown>>
}

export interface AnswerKey extends ActOnKey {
  readonly response: StoredResponse
  readonly keyRetentionMs: number
  readonly resultRetentionMs: number
}

function actScript<Question extends ActOnKey>(
  name: string,
  text: string,
  more: (question: Question) => readonly ScriptArgument[],
): Script<Question, ActResult> {
  return script({
    name,
    text,
    keys: ({ keys }) => [keys.record, keys.result, keys.operations],
    args: (question) => [
      question.verb,
      question.act.actor,
      keyTarget(question.name),
      question.act.note,
      JSON.stringify(question.detail),
      ...more(question),
    ],
    reply(raw) {
      const words = listIn(raw)
      refuseNewer(words)
      return wordIn(words[0], RESULTS)
    },
  })
}

const RESULTS = [
  'done',
  'absent',
  'other-request',
  'running',
  'unknown',
  'finished',
  'result-gone',
] as const satisfies readonly ActResult[]
