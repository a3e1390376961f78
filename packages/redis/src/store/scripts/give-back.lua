-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   the mark that the claim was given back
-- ARGV[1]   token of the claim
-- ARGV[2]   how long to remember the key if its outcome is unknown, milliseconds
-- ARGV[3]   how long to remember that it was released, milliseconds
-- ARGV[4]   how long to keep the mark, milliseconds
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
    -- @include ../record/announce-end.lua
  end
end
-- The mark comes last: a full server refuses this SET unless the script has written before.
redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
return 'given-back'
