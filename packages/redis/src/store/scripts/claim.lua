-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the mark that this claim was given back before it arrived, or its attempt has ended
-- ARGV[1]   token of the claim
-- ARGV[2]   lease, milliseconds
-- ARGV[3]   how long to remember the key from now: the lease plus the retention, milliseconds
-- ARGV[4]   'retake' or 'hold': what to do if an attempt ended without an outcome
-- ARGV[5]   '1' if the caller will wait to be told that the attempt ended
-- ARGV[6]   '1' if `WAIT` follows
-- ARGV[7]   with 'retake': the name of the attempt to take over; '' for any
-- ARGV[8..] fingerprints, the current algorithm's first
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
      -- @include ../record/tell.lua
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
  -- The key belongs to another attempt, which is running or has ended without an outcome.
  if token ~= '' and leased_at and now < tonumber(leased_at) then
    -- The clock was put back: the lease keeps its length and starts now.
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
    -- @include ../record/past.lua
  end
end
-- From here on the key is free, unknown, or this very attempt's, which claims again because the
-- reply was lost.
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
  -- The most frequent reply, therefore a single word.
  return 'fresh'
end
return {'run', number, fingerprint}
