-- @use RECORD_VERSION from ../record/record-version.ts
-- The beginning of every script for operators. It reads the fields of the record in `KEYS[1]`, and
-- sets `found` to the state of the key, or to `absent`, by the rules of a claim. `KEYS[2]` is the
-- result.
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'fingerprint', 'token', 'number',
  'lease_until', 'leased_at', 'claimed_at', 'done_at', 'awaited')
local version, state, fingerprint = record[1], record[2], record[3]
local token, number = record[4], record[5]
local lease_until, leased_at, claimed_at = record[6], record[7], record[8]
local done_at, awaited = record[9], record[10]

if version and version ~= '${RECORD_VERSION}' then
  return {'newer', version}
end

local found = 'absent'
if state == 'done' then
  found = redis.call('EXISTS', KEYS[2]) == 1 and 'finished' or 'result-gone'
elseif state == 'running' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- The lease began in the future, so the clock was put back; the lease still holds.
  local is_put_back = leased_at and now < tonumber(leased_at)
  local is_held = token ~= '' and (is_put_back or tonumber(lease_until) > now)
  found = is_held and 'running' or 'unknown'
end
