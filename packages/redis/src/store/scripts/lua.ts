// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { announceEndLua, attemptStateLua, pastLua, tellLua } from '../record/lua.ts'
import { RECORD_VERSION } from '../record/record-version.ts'

/** `abandon.lua` */
export const abandonLua: string = `
${attemptStateLua}
if not owns then
  return 'superseded'
end
redis.call('HDEL', KEYS[1], 'awaited')
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', ARGV[3], 'token', '', 'number', ARGV[2], 'lease_until', now_text,
  'claimed_at', claimed_at or now_text)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[5])
if awaited then
${announceEndLua}
end
return 'abandoned'
`

/** `claim.lua` */
export const claimLua: string = `
local record = redis.call('HMGET', KEYS[1],
  'v', 'state', 'fingerprint', 'token', 'number', 'lease_until', 'leased_at', 'claimed_at', 'past')
local version, state, fingerprint = record[1], record[2], record[3]
local token, number, lease_until, leased_at = record[4], record[5], record[6], record[7]
local claimed_at, past = record[8], record[9]
if version and version ~= '${RECORD_VERSION}' then
  return {'newer', version}
end
if state and state ~= 'free' then
  local same = false
  for i = 8, #ARGV do
    same = same or ARGV[i] == fingerprint
  end
  if not same then
    return {'mismatch'}
  end
  if state == 'done' then
    if ARGV[6] == '1' then
${tellLua}
    end
    local result = redis.call('GET', KEYS[2])
    if result then
      return {'replay', fingerprint, result}
    end
    return {'result-gone'}
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not state or state == 'free' then
  number, fingerprint, claimed_at = '1', ARGV[8], nil
elseif token ~= ARGV[1] then
  if token ~= '' and leased_at and now < tonumber(leased_at) then
    lease_until = string.format('%.0f', now + lease_until - leased_at)
    redis.call('HSET', KEYS[1], 'leased_at', string.format('%.0f', now), 'lease_until', lease_until)
  end
  if token ~= '' and tonumber(lease_until) > now then
    if ARGV[5] == '1' then
      redis.call('HSET', KEYS[1], 'awaited', '1')
    end
    return {'in-progress', lease_until - now}
  end
  local name = number .. '.' .. (claimed_at or '')
  if ARGV[4] == 'hold' or (ARGV[7] ~= '' and ARGV[7] ~= name) then
    return {'unknown', lease_until, name}
  end
  number = string.format('%d', number + 1)
  if token ~= '' then
    local ended = token
${pastLua}
  end
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {'in-progress', 1000}
end
local now_text = string.format('%.0f', now)
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', fingerprint, 'token', ARGV[1], 'number', number,
  'lease_until', string.format('%.0f', now + ARGV[2]), 'leased_at', now_text,
  'claimed_at', claimed_at or now_text)
if state == 'free' then
  redis.call('HSET', KEYS[1], 'freed', '1')
elseif past then
  redis.call('HSET', KEYS[1], 'past', past)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if number == '1' and fingerprint == ARGV[8] then
  return 'fresh'
end
return {'run', number, fingerprint}
`

/** `complete.lua` */
export const completeLua: string = `
${attemptStateLua}
if version == '${RECORD_VERSION}' and state == 'done' and token == ARGV[1] then
${tellLua}
  return 'stored'
end
if not owns then
  return 'superseded'
end
if ARGV[5] == '0' then
  redis.call('DEL', KEYS[3])
else
  redis.call('SET', KEYS[3], struct.pack('>I4', #ARGV[6]) .. ARGV[6] .. ARGV[7], 'PX', ARGV[5])
end
local at = 8
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[4], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
if token == ARGV[1] then
  redis.call('HSET', KEYS[1], 'state', 'done', 'done_at', now_text)
else
  redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'done',
    'fingerprint', ARGV[3], 'token', ARGV[1], 'done_at', now_text)
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if awaited then
  redis.call('HDEL', KEYS[1], 'awaited')
${announceEndLua}
end
return 'stored'
`

/** `give-back.lua` */
export const giveBackLua: string = `
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'number', 'awaited', 'freed',
  'past')
local version, state, token = record[1], record[2], record[3]
local number, awaited, freed, past = record[4], record[5], record[6], record[7]
if version == '${RECORD_VERSION}' and state == 'running' and token == ARGV[1] then
  if number == '1' then
    redis.call('DEL', KEYS[1])
    if freed then
      redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free')
      if past then
        redis.call('HSET', KEYS[1], 'past', past)
      end
      redis.call('PEXPIRE', KEYS[1], ARGV[3])
    end
  else
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', KEYS[1], 'token', '', 'lease_until', string.format('%.0f', now))
    redis.call('HDEL', KEYS[1], 'awaited')
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  if awaited then
${announceEndLua}
  end
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
return 'given-back'
`

/** `release.lua` */
export const releaseLua: string = `
${attemptStateLua}
if not owns then
  return 'superseded'
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free', 'past', past or '\\n')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
if awaited then
${announceEndLua}
end
return 'released'
`

/** `renew.lua` */
export const renewLua: string = `
${attemptStateLua}
if not owns then
  return 'stale'
end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', ARGV[3], 'token', ARGV[1], 'number', ARGV[2],
  'lease_until', string.format('%.0f', now + ARGV[4]), 'leased_at', now_text,
  'claimed_at', claimed_at or now_text)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 'held'
`
