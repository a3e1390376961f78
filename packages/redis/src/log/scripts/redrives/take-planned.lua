-- @include ../clock.lua
-- @include ../delivery.lua
-- @include ../dead/each-dead.lua
-- For each consumer in a slot:
-- KEYS[i]     the deliveries of the slot
-- KEYS[i + 1] the dead letters
-- KEYS[i + 2] the consumer's deliveries that are retrying
-- KEYS[i + 3] the consumers of the slot
-- KEYS[i + 4] the audit of the slot
-- ARGV[1]     the portion: the redrive's id and the portion's number
-- ARGV[2..]   for each consumer in a slot the number of deliveries, then their numbers
local function is_meant(i, state)
  return state.state == 'dead' and state.redrive ~= ARGV[1]
    and redis.call('HEXISTS', KEYS[i + 3], state.consumer) == 1
end

local function redrive(i, n, state)
  state.state, state.attempts, state.starts = 'retrying', 0, 0
  state.redrives, state.redrive = state.redrives + 1, ARGV[1]
  schedule(KEYS[i + 2], n, state, now, now)
  keep_state(KEYS[i], n, state)
end

-- Whether this portion has already put the letter back, whatever became of it since.
local function taken_before(state)
  return state and state.redrive == ARGV[1] and 'redriven'
end

return each_dead(2, is_meant, redrive, 'redriven', nil, taken_before)
