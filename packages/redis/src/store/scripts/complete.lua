-- @use RECORD_VERSION from ../record/record-version.ts
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
-- Events are appended one by one, because the arguments of a thousand events do not fit on Lua's
-- stack.
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
  -- @include ../record/announce-end.lua
end
return 'stored'
