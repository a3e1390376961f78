-- @include ../clock.lua
-- @include ./redrive.lua
-- KEYS[1] the redrives
-- KEYS[2] the audit of their partition
-- ARGV[1] id
-- ARGV[2] the actor
-- ARGV[3] the note of the actor
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'state', 'matched', 'redriven', 'plan')
if not redrive[1] then
  return 'unknown'
end
if redrive[1] ~= 'running' then
  return 'over'
end
redis.call('HSET', redrive_key(ARGV[1]), 'state', 'cancelled', 'ended_at', digits(now))
-- If a portion is under way, its outcome is still to be counted: the process that finds its plan
-- ends the redrive.
if not redrive[4] then
  redis.call('ZREM', running_key, ARGV[1])
end
redis.call('XADD', KEYS[2], '*', 'act', 'redrives.cancel', 'actor', ARGV[2],
  'target', '["redrive","' .. ARGV[1] .. '"]', 'note', ARGV[3],
  'detail', '{"matched":' .. redrive[2] .. ',"redriven":' .. redrive[3] .. '}')
return 'cancelled'
