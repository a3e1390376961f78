-- KEYS[1] the record of the types that the consumer takes; absent if it is unknown
-- KEYS[2] its pause record
-- KEYS[3] the audit of its partition
-- ARGV[1] the actor
-- ARGV[2] the target of the audit entry
-- ARGV[3] the note of the actor
-- @include ../clock.lua
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'unknown'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 'already'
end
redis.call('XADD', KEYS[3], '*', 'act', 'consumers.pause', 'actor', ARGV[1], 'target', ARGV[2],
  'note', ARGV[3], 'detail', '{}')
redis.call('HSET', KEYS[2], 'at', digits(now), 'by', ARGV[1])
return 'done'
