-- KEYS[1] the record
-- ARGV[1] what it is; empty: nothing
-- ARGV[2] what it is to be; empty: nothing
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 'changed'
end
-- Removed first: a full server lets a script run whose first write is a removal, and relays empty
-- it.
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2])
end
return 'set'
