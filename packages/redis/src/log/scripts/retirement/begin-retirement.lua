-- KEYS[1] the mark
-- KEYS[2] the relays of the consumer
-- KEYS[3] the record of what it wants
-- KEYS[4] its pause
-- KEYS[5] the audit of its partition
-- ARGV[1] what is to be done
-- ARGV[2] how long the mark is kept, milliseconds
-- ARGV[3] who
-- ARGV[4] on what
-- ARGV[5] why
-- ARGV[6] what becomes of its deliveries, as JSON
local is_known = redis.call('EXISTS', KEYS[3]) == 1
-- Removed first: a full server lets a script run whose first write is a removal.
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
if is_known then
  redis.call('XADD', KEYS[5], '*', 'act', 'consumers.retire', 'actor', ARGV[3], 'target', ARGV[4],
    'note', ARGV[5], 'detail', ARGV[6])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'noted'
