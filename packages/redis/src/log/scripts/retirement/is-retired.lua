-- KEYS[1] the mark that the consumer was retired
-- ARGV[1] '1': remove the mark
if ARGV[1] == '1' then
  redis.call('DEL', KEYS[1])
end
return redis.call('EXISTS', KEYS[1])
