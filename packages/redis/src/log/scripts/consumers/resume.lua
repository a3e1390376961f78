-- KEYS[1] the record of the types that the consumer takes; absent if it is unknown
-- KEYS[2] its pause record
-- KEYS[3] the audit of its partition
-- ARGV[1] the actor
-- ARGV[2] the target of the audit entry
-- ARGV[3] the note of the actor
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'unknown'
end
local was = redis.call('HMGET', KEYS[2], 'at', 'by')
if not was[1] then
  return 'already'
end
redis.call('XADD', KEYS[3], '*', 'act', 'consumers.resume', 'actor', ARGV[1], 'target', ARGV[2],
  'note', ARGV[3], 'detail', cjson.encode({pausedAt = tonumber(was[1]), pausedBy = was[2]}))
redis.call('DEL', KEYS[2])
return 'done'
