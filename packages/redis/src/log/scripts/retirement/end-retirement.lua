-- KEYS[1] the mark
-- ARGV[1] what was to be done
-- ARGV[2] what the mark says from now on
-- ARGV[3] how long it is kept, milliseconds
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
