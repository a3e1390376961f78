-- KEYS[1] the consumer's deliveries that are retrying
-- KEYS[2] the deliveries of the slot
-- ARGV[1] how many to skip
-- ARGV[2] how many to return at most
local events = {}
for i, n in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1)) do
  events[i] = redis.call('HGET', KEYS[2], n .. ':event')
end
return events
