// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { announceEndLua, pastLua, tellLua } from '../record/lua.ts'
import { RECORD_VERSION } from '../record/record-version.ts'
import { RELEASE_REMEMBERED_MS } from '../scripts/release.ts'

/** `key-state.lua` */
export const keyStateLua: string = `
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'fingerprint', 'token', 'number',
  'lease_until', 'leased_at', 'claimed_at', 'done_at', 'awaited', 'act', 'past')
local version, state, fingerprint = record[1], record[2], record[3]
local token, number = record[4], record[5]
local lease_until, leased_at, claimed_at = record[6], record[7], record[8]
local done_at, awaited, last_act, past = record[9], record[10], record[11], record[12]
if version and version ~= '${RECORD_VERSION}' then
  return {'newer', version}
end
local found = 'absent'
if state == 'done' then
  found = redis.call('EXISTS', KEYS[2]) == 1 and 'finished' or 'result-gone'
elseif state == 'running' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if token ~= '' and leased_at and now < tonumber(leased_at) then
    lease_until = string.format('%.0f', now + lease_until - leased_at)
    redis.pcall('HSET', KEYS[1], 'leased_at', string.format('%.0f', now),
      'lease_until', lease_until)
  end
  found = token ~= '' and tonumber(lease_until) > now and 'running' or 'unknown'
end
`

/** `done-before.lua` */
export const doneBeforeLua: string = `
if last_act == ARGV[6] then
${tellLua}
  return {'done'}
end
`

/** `enter.lua` */
export const enterLua: string = `
redis.call('XADD', KEYS[3], '*', 'act', ARGV[1], 'actor', ARGV[2], 'target', ARGV[3],
  'note', ARGV[4], 'detail', ARGV[5], 'fingerprint', fingerprint)
`

/** `wake.lua` */
export const wakeLua: string = `
if awaited then
  redis.call('HDEL', KEYS[1], 'awaited')
${announceEndLua}
end
return {'done'}
`

/** `answer-key.lua` */
export const answerKeyLua: string = `
${keyStateLua}
${doneBeforeLua}
if found ~= 'unknown' then
  return {found}
end
${enterLua}
if ARGV[8] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], struct.pack('>I4', #ARGV[9]) .. ARGV[9] .. ARGV[10], 'PX', ARGV[8])
end
local time = redis.call('TIME')
if token ~= '' then
  local ended = token
${pastLua}
  redis.call('HSET', KEYS[1], 'past', past)
end
redis.call('HSET', KEYS[1], 'state', 'done', 'token', '', 'act', ARGV[6],
  'done_at', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
redis.call('PEXPIRE', KEYS[1], ARGV[7])
${wakeLua}
`

/** `find-key.lua` */
export const findKeyLua: string = `
${keyStateLua}
if found == 'absent' then
  return {found}
end
return {found, fingerprint, number or '', claimed_at or '', lease_until or '', done_at or '',
  found == 'finished' and redis.call('GET', KEYS[2]) or ''}
`

/** `free.lua` */
export const freeLua: string = `
if token and token ~= '' then
  local ended = token
${pastLua}
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free', 'act', ARGV[6],
  'past', past or '\\n')
redis.call('PEXPIRE', KEYS[1], '${RELEASE_REMEMBERED_MS}')
`

/** `forget-key.lua` */
export const forgetKeyLua: string = `
${keyStateLua}
${doneBeforeLua}
if found ~= 'finished' and found ~= 'result-gone' then
  return {found}
end
if fingerprint ~= ARGV[7] then
  return {'other-request'}
end
${enterLua}
${freeLua}
${wakeLua}
`

/** `list-operations.lua` */
export const listOperationsLua: string = `
return redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
`

/** `release-key.lua` */
export const releaseKeyLua: string = `
${keyStateLua}
${doneBeforeLua}
if found ~= 'unknown' then
  return {found}
end
${enterLua}
${freeLua}
${wakeLua}
`
