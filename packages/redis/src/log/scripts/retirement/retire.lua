-- KEYS[i] the consumers of each slot
-- ARGV[1] consumer
for i = 1, #KEYS do
  redis.call('HDEL', KEYS[i], ARGV[1])
end
return 'retired'
