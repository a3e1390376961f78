// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { ENDED_CHANNEL } from './endings.ts'
import { ID_IN_RECORD_KEY } from './record-keys.ts'
import { RECORD_VERSION } from './record-version.ts'

/** `announce-end.lua` */
export const announceEndLua: string = `
redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
`

/** `past.lua` */
export const pastLua: string = `
past = (past or '\\n') .. ended .. '\\n'
if #past > 2000 then
  past = string.sub(past, (string.find(past, '\\n', -2000, true)))
end
`

/** `attempt-state.lua` */
export const attemptStateLua: string = `
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'number', 'lease_until',
  'claimed_at', 'awaited', 'past')
local version, state, token, number = record[1], record[2], record[3], record[4]
local lease_until, claimed_at, awaited, past = record[5], record[6], record[7], record[8]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local owns = not state
if version and version ~= '${RECORD_VERSION}' then
  owns = false
elseif token == ARGV[1] then
  owns = state == 'running'
elseif state and redis.call('EXISTS', KEYS[2]) == 0
  and not string.find(past or '', '\\n' .. ARGV[1] .. '\\n', 1, true)
then
  if state == 'free' then
    owns = past
  elseif state == 'running' then
    owns = tonumber(number) < tonumber(ARGV[2])
      and (token == '' or tonumber(lease_until) <= now)
  end
  if not owns then
    local ended = ARGV[1]
${pastLua}
    redis.call('HDEL', KEYS[1], '')
    redis.call('HSET', KEYS[1], 'past', past)
  end
end
`

/** `tell.lua` */
export const tellLua: string = `
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'told', '1')
`
