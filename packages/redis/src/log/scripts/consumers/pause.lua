-- KEYS[1] the record of what the consumer wants; there is none of a consumer that is not known
-- KEYS[2] its pause
-- KEYS[3] the audit of its partition
-- ARGV[1] who
-- ARGV[2] on what
-- ARGV[3] why
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
