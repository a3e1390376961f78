import { type Script, script, wordIn } from '../../client/script.ts'
import { ENDED_CHANNEL } from '../record/endings.ts'
import { ID_IN_RECORD_KEY, type RecordKeys } from '../record/record-keys.ts'
import { RECORD_VERSION } from './claim.ts'

/**
 * Deletes the claim. For an hour, which is longer than a handler runs, the record still says that
 * the key was released: without it, a late completion could not tell a released key from a lost
 * record.
 *
 * DEL comes first and not HSET, because a full server must be able to release, too.
 */
export const releaseScript: Script<ReleaseQuestion, 'released' | 'superseded'> = script({
  name: 'release',
  text: `
-- KEYS[1]   the record
-- ARGV[1]   token of the attempt
-- ARGV[2]   how long to remember that it was released, milliseconds
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'awaited')
local version, state, token, awaited = record[1], record[2], record[3], record[4]

if version and version ~= '${RECORD_VERSION}' then
  return 'superseded'
end
if state and (state ~= 'running' or token ~= ARGV[1]) then
  return 'superseded'
end

redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if awaited then
  redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
end
return 'released'
`,
  keys: ({ keys }) => [keys.record],
  args: ({ token }) => [token, RELEASE_REMEMBERED_MS],
  reply: (raw) => wordIn(raw, ['released', 'superseded']),
})

export interface ReleaseQuestion {
  readonly keys: RecordKeys
  readonly token: string
}

export const RELEASE_REMEMBERED_MS: number = 60 * 60 * 1000
