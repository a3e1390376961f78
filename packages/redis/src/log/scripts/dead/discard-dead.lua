-- @include ../clock.lua
-- @include ../delivery.lua
-- @include each-dead.lua
-- For each slot:
-- KEYS[i]     its deliveries
-- KEYS[i + 1] the dead letters
-- KEYS[i + 2] the resolved letters
-- KEYS[i + 3] the letters of retired consumers
-- KEYS[i + 4] the audit of the slot
-- ARGV[1]     the note of the actor
-- ARGV[2]     the actor
-- ARGV[3]     the name of this act: a client that lost a connection may send it again
-- ARGV[4..]   for each slot the number of deliveries, then their numbers
local function is_meant(_, state)
  return state.state == 'dead' or state.state == 'retired'
end

local function discard(i, n, state)
  local event = cjson.decode(redis.call('HGET', KEYS[i], n .. ':event'))
  redis.call('XADD', KEYS[i + 4], '*', 'act', 'dead-letters.discard', 'actor', ARGV[2],
    'target', cjson.encode({'dead-letter', 'consumers', id_of(i, n)}), 'note', ARGV[1],
    'detail', cjson.encode({origin = state.consumer, eventId = event.id, type = event.type}))
  state.state, state.resolution, state.resolved_at = 'resolved', 'discarded', now
  state.acted = ARGV[3]
  keep_state(KEYS[i], n, state)
  redis.call('HSET', KEYS[i], n .. ':note', ARGV[1])
  redis.call('ZADD', KEYS[i + 2], digits(now), n)
  redis.call('ZREM', KEYS[i + 3], n)
end

local function told(state)
  return state and state.acted == ARGV[3] and 'discarded'
end

return each_dead(4, is_meant, discard, 'discarded', nil, told)
