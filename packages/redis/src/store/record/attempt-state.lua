-- @use RECORD_VERSION from record-version.ts
-- The beginning of every script for an attempt. It reads the record, and sets `owns` to whether the
-- key is this attempt's: the record says so, or the server has lost the attempt's claim, as in a
-- failover. Then the record is missing, or as it was before that claim: free, or of an earlier
-- attempt whose outcome is unknown. An attempt that is over has a mark, or is among `past`.
-- KEYS[1]   the record
-- KEYS[2]   the mark that a claim with this token wins nothing
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
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
  and not string.find(past or '', '\n' .. ARGV[1] .. '\n', 1, true)
then
  if state == 'free' then
    -- A release before this one freed keys without `past`, and who is over is then not known.
    owns = past
  elseif state == 'running' then
    owns = tonumber(number) < tonumber(ARGV[2])
      and (token == '' or tonumber(lease_until) <= now)
  end
  if not owns then
    -- It is told so, and stays without the key, whatever becomes of that.
    local ended = ARGV[1]
    -- @include past.lua
    -- A full server lets a script run whose first write is a removal.
    redis.call('HDEL', KEYS[1], '')
    redis.call('HSET', KEYS[1], 'past', past)
  end
end
