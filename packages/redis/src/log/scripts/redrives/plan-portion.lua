-- @include ./redrive.lua
-- KEYS[1] the redrives
-- ARGV[1] id
-- ARGV[2] how many portions had ended when this one was planned
-- ARGV[3] the plan
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'state', 'portions', 'plan')
-- The plan that is there may be that of a later portion, and this carrier's number that of one that
-- has ended.
if redrive[2] ~= ARGV[2] then
  return ''
end
if redrive[3] then
  return redrive[3]
end
if redrive[1] ~= 'running' then
  return ''
end
redis.call('HSET', redrive_key(ARGV[1]), 'plan', ARGV[3])
return ARGV[3]
