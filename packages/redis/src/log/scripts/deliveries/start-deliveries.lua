-- @include ../cursor.lua
-- @include ../delivery.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its deliveries
-- ARGV[1]     consumer
-- ARGV[2]     the name of this start: a client that lost a connection may send the script again
-- ARGV[3..]   for each slot its epoch, the number of deliveries, their numbers
let_through(KEYS[1])
local at, started = 3, {}
for i = 1, #KEYS, 2 do
  local held = is_held(cursor_of(KEYS[i], ARGV[1]), ARGV[at])
  local last = at + 1 + ARGV[at + 1]
  for d = at + 2, last do
    local n = ARGV[d]
    local state = held and state_of(KEYS[i + 1], n)
    if state and state.state == 'retrying' then
      if state.started ~= ARGV[2] then
        state.starts = state.starts + 1
        state.started = ARGV[2]
        keep_state(KEYS[i + 1], n, state)
      end
      local kept = redis.call('HMGET', KEYS[i + 1], n .. ':event', n .. ':data')
      started[#started + 1] = {(i - 1) / 2, tonumber(n), state.attempts, state.starts,
        state.redrives, kept[1], kept[2]}
    end
  end
  at = last + 1
end
return started
