-- KEYS[1] the mark
-- ARGV[1] the mark's text, which must be unchanged
-- ARGV[2] the mark's new text
-- ARGV[3] how long it is kept, milliseconds
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
