import type { Completion, Fingerprint } from '@oncekey/core'
import { type Script, script, wordIn } from '../../client/script.ts'
import { entryArguments } from '../../stream/outbox-entry.ts'
import { ENDED_CHANNEL } from '../record/endings.ts'
import { ID_IN_RECORD_KEY, type RecordKeys } from '../record/record-keys.ts'
import { bodyArgument, headText } from '../record/result-bytes.ts'
import { RECORD_VERSION } from './claim.ts'

/**
 * Stores the response and appends the events, or does nothing.
 *
 * If the record is missing, a failover or a restart lost it, and nobody has claimed or released the
 * key since, which would have left a record. The attempt did run, so its response is stored: if it
 * were refused, the next retry would run the handler again.
 *
 * Writes that can fail come first: a full server refuses SET, and XADD refuses a key that holds no
 * stream. A result whose record is not 'done' is never read.
 */
export const completeScript: Script<CompleteQuestion, 'stored' | 'superseded'> = script({
  name: 'complete',
  text: `
-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the outbox of its partition
-- ARGV[1]   token of the attempt
-- ARGV[2]   fingerprint of the request
-- ARGV[3]   how long to remember the key, milliseconds
-- ARGV[4]   how long to keep the result, milliseconds; '0': not at all
-- ARGV[5]   the head of the result
-- ARGV[6]   its body
-- ARGV[7..] for each event the number of its fields and values, then these
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'awaited')
local version, state, token, awaited = record[1], record[2], record[3], record[4]

if version and version ~= '${RECORD_VERSION}' then
  return 'superseded'
end
if state == 'done' and token == ARGV[1] then
  return 'stored'
end
if state and (state ~= 'running' or token ~= ARGV[1]) then
  return 'superseded'
end

if ARGV[4] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], struct.pack('>I4', #ARGV[5]) .. ARGV[5] .. ARGV[6], 'PX', ARGV[4])
end
-- Event by event, because the arguments of a thousand events do not fit on Lua's stack.
local at = 7
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[3], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if state then
  redis.call('HSET', KEYS[1], 'state', 'done', 'done_at', now)
else
  redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'done',
    'fingerprint', ARGV[2], 'token', ARGV[1], 'done_at', now)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if awaited then
  redis.call('HDEL', KEYS[1], 'awaited')
  redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
end
return 'stored'
`,
  keys: ({ keys }) => [keys.record, keys.result, keys.outbox],
  args: ({ token, fingerprint, completion, keyRetentionMs, resultRetentionMs }) => {
    const { response } = completion
    return [
      token,
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
  readonly fingerprint: Fingerprint
  readonly completion: Completion
  readonly keyRetentionMs: number
  readonly resultRetentionMs: number
}
