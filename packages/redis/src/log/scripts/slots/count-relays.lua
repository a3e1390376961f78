-- @include ../clock.lua
-- KEYS[1] the relays of the consumer
-- ARGV[1] relay
-- ARGV[2] for how long the relay counts, milliseconds; '0': it stops counting
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', digits(now - 1))
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  local most = digits(now + 10 * ARGV[2])
  for _, relay in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. most, '+inf')) do
    redis.call('ZADD', KEYS[1], most, relay)
  end
  redis.call('ZADD', KEYS[1], digits(now + ARGV[2]), ARGV[1])
end
return redis.call('ZCARD', KEYS[1])
