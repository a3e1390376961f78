-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../delivery.lua
-- KEYS[1] the consumers of the slot
-- KEYS[2] its deliveries
-- KEYS[3] the consumer's deliveries that are retrying
-- KEYS[4] the dead letters
-- KEYS[5] the letters that died within the last hour
-- KEYS[6] the resolved letters
-- KEYS[7] the letters of retired consumers
-- ARGV[1] consumer
-- ARGV[2] a pattern that matches the names of its index fields
-- ARGV[3] where the search continues; '0': at the beginning
-- ARGV[4] how many fields to look at
-- ARGV[5] 'keep' or 'discard'
-- ARGV[6] the note of the actor
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return {'0', 0}
end
let_through(KEYS[1])

-- Keeps the letter as retired. Each retired letter gets a different time of death, so that the
-- times are an order.
local function keep_apart(n, state, died_at)
  local at = died_at and digits(tonumber(died_at))
  if not at or redis.call('ZCOUNT', KEYS[7], at, at) ~= 0 then
    local last = redis.call('ZRANGE', KEYS[7], -1, -1, 'WITHSCORES')[2]
    at = digits(math.max(now_us, (tonumber(last) or 0) + 1))
  end
  redis.call('ZADD', KEYS[7], at, n)
  if state.state == 'retrying' then
    state.reason, state.dead_at = 'retired', now
    redis.call('ZADD', KEYS[5], digits(now_us), n .. ':' .. digits(now_us))
  end
  state.state = 'retired'
end

local function discard(n, state)
  state.state, state.resolution, state.resolved_at = 'resolved', 'discarded', now
  redis.call('HSET', KEYS[2], n .. ':note', ARGV[6])
  redis.call('ZADD', KEYS[6], digits(now), n)
end

local count = 0
local found = redis.call('HSCAN', KEYS[2], ARGV[3], 'MATCH', ARGV[2], 'COUNT', ARGV[4])
for f = 1, #found[2], 2 do
  local index, n = found[2][f], found[2][f + 1]
  local state = state_of(KEYS[2], n)
  if state and state.consumer == ARGV[1] and state.index == index then
    redis.call('HDEL', KEYS[2], index)
    state.index = ''
    if state.state ~= 'resolved' then
      count = count + 1
      local died_at = redis.call('ZSCORE', KEYS[4], n)
      redis.call('ZREM', KEYS[3], n)
      redis.call('ZREM', KEYS[4], n)
      if ARGV[5] == 'discard' then
        discard(n, state)
      else
        keep_apart(n, state, died_at)
      end
    end
    keep_state(KEYS[2], n, state)
  end
end
return {found[1], count}
