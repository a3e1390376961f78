-- KEYS[1] the mark
-- KEYS[2] the relays of the consumer
-- KEYS[3] the record of the types that it takes
-- KEYS[4] its pause record
-- KEYS[5] the audit of its partition
-- ARGV[1] the mark's text: how the deliveries are to be set aside
-- ARGV[2] how long the mark is kept, milliseconds
-- ARGV[3] the actor
-- ARGV[4] the target of the audit entry
-- ARGV[5] the note of the actor
-- ARGV[6] what becomes of its deliveries, as JSON
local is_known = redis.call('EXISTS', KEYS[3]) == 1
-- The removal comes first: a full server lets a script run if its first write is a removal.
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
if is_known then
  redis.call('XADD', KEYS[5], '*', 'act', 'consumers.retire', 'actor', ARGV[3], 'target', ARGV[4],
    'note', ARGV[5], 'detail', ARGV[6])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'noted'
