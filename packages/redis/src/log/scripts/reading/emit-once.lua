-- KEYS[1]   the mark
-- KEYS[2]   the outbox of its partition
-- ARGV[1]   how long the mark is kept, milliseconds
-- ARGV[2..] for each event the number of its fields and values, then these
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'duplicate'
end
-- Commands that can fail come first: a full server refuses the first write, and XADD refuses a key
-- that holds no stream.
local at = 2
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'done'
