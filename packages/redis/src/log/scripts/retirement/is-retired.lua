-- KEYS[1] the mark that the consumer was retired
-- KEYS[2] the pause record of the consumer, which an earlier release left behind when it retired it
-- ARGV[1] '1': remove the mark, and with it the pause
if ARGV[1] == '1' and redis.call('DEL', KEYS[1]) == 1 then
  redis.call('DEL', KEYS[2])
end
return redis.call('EXISTS', KEYS[1])
