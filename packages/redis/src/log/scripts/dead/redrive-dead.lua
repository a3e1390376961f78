-- @include ../clock.lua
-- @include ../delivery.lua
-- @include each-dead.lua
-- For each consumer in a slot:
-- KEYS[i]     the deliveries of the slot
-- KEYS[i + 1] the dead letters
-- KEYS[i + 2] the consumer's deliveries that are retrying
-- KEYS[i + 3] the consumers of the slot
-- KEYS[i + 4] the audit of the slot
-- ARGV[1]     the actor
-- ARGV[2]     the note of the actor
-- ARGV[3]     the name of this act: a client that lost a connection may send it again
-- ARGV[4..]   for each consumer in a slot the number of deliveries, then their numbers
-- A letter that this act has put back, and that is dead again, is not meant a second time.
local function is_meant(i, state)
  return state.state == 'dead' and state.acted ~= ARGV[3]
    and redis.call('HEXISTS', KEYS[i + 3], state.consumer) == 1
end

local function redrive(i, n, state)
  state.state, state.attempts, state.starts = 'retrying', 0, 0
  state.redrives = state.redrives + 1
  state.acted = ARGV[3]
  schedule(KEYS[i + 2], n, state, now, now)
  keep_state(KEYS[i], n, state)
end

local function done(i, ids)
  redis.call('XADD', KEYS[i + 4], '*', 'act', 'dead-letters.redrive', 'actor', ARGV[1],
    'target', '["dead-letters","consumers"]', 'note', ARGV[2], 'detail', cjson.encode({ids = ids}))
end

local function told(state)
  return state and state.acted == ARGV[3] and 'redriven'
end

return each_dead(4, is_meant, redrive, 'redriven', done, told)
