-- KEYS[1] the record of what the consumer wants; there is none of a consumer that is not known
-- KEYS[2] its pause
-- KEYS[3] the audit of its partition
-- ARGV[1] who
-- ARGV[2] on what
-- ARGV[3] why
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
