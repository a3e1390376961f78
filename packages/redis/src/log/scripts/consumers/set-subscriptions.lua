-- KEYS[1] the record
-- ARGV[1] the expected old value; empty: there is none
-- ARGV[2] the new value; empty: delete the record
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 'changed'
end
-- Deleted first: a full server lets a script run if its first write is a removal. Relays call this,
-- and they free memory.
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2])
end
return 'set'
