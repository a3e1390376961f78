-- KEYS[1]   the mark of this attempt
-- KEYS[2]   the outbox
-- ARGV[1]   how long the mark is kept, milliseconds
-- ARGV[2..] for each event the number of its fields and values, then these
if redis.call('EXISTS', KEYS[1]) == 1 then
  -- `WAIT` may follow, and counts the replicas that have what this connection wrote last. A full
  -- server lets a script run whose first write is a removal.
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
  return 'stored'
end
local at = 2
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'stored'
