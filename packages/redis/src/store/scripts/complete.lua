-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   the mark that a claim with this token wins nothing
-- KEYS[3]   the result
-- KEYS[4]   the outbox of its partition
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
-- ARGV[3]   fingerprint of the request
-- ARGV[4]   how long to remember the key, milliseconds
-- ARGV[5]   how long to keep the result, milliseconds; '0': not at all
-- ARGV[6]   the head of the result
-- ARGV[7]   its body
-- ARGV[8..] for each event the number of its fields and values, then these
-- @include ../record/attempt-state.lua
if version == '${RECORD_VERSION}' and state == 'done' and token == ARGV[1] then
  -- @include ../record/tell.lua
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
-- Events are appended one by one, because the arguments of a thousand events do not fit on Lua's
-- stack.
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
  -- @include ../record/announce-end.lua
end
return 'stored'
