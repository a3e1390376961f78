-- @use RECORD_VERSION from ../record/record-version.ts
-- The beginning of every script for operators. It reads the fields of the record in `KEYS[1]`, and
-- sets `found` to the state of the key, or to `absent`, by the rules of a claim. `KEYS[2]` is the
-- result.
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
    -- The clock was put back: the lease keeps its length and starts now, as for a claim, so that an
    -- operator need not wait for longer than a lease. A server that refuses the write still tells.
    lease_until = string.format('%.0f', now + lease_until - leased_at)
    redis.pcall('HSET', KEYS[1], 'leased_at', string.format('%.0f', now),
      'lease_until', lease_until)
  end
  found = token ~= '' and tonumber(lease_until) > now and 'running' or 'unknown'
end
