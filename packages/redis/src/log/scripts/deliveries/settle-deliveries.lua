-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../delivery.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its deliveries
-- KEYS[i + 2] the consumer's deliveries that are retrying
-- KEYS[i + 3] the dead letters
-- KEYS[i + 4] the letters that died within the last hour
-- KEYS[i + 5] the resolved letters
-- ARGV[1]     consumer
-- ARGV[2..]   for each slot its epoch, the number of deliveries, and for each: its number, 'done',
--             'retrying' or 'dead', the delay in milliseconds or the reason, the attempt or
--             nothing, for one that is given back untried the starts that stay on record, or
--             nothing, and the attempts and redrives that it had when it was claimed, or nothing

-- Whether this verdict is on record, and was sent again because the reply was lost. The delivery
-- may have been started again since, so its starts do not tell, except where the caller does not.
local function is_recorded(state, attempts, redrives)
  if attempts == '' then
    return state.starts <= state.attempts
  end
  return state.attempts ~= tonumber(attempts) or state.redrives ~= tonumber(redrives)
end

local function settle(i, n, verdict, detail, try, starts_left, attempts, redrives)
  local state = state_of(KEYS[i + 1], n)
  if not state or state.state ~= 'retrying' or is_recorded(state, attempts, redrives) then
    return
  end
  if verdict == 'done' and state.redrives == 0 then
    forget(KEYS[i + 1], n, state)
    redis.call('ZREM', KEYS[i + 2], n)
    return
  end
  if verdict == 'done' then
    state.state, state.resolution, state.resolved_at = 'resolved', 'redriven', now
    state.starts = state.attempts
    redis.call('ZADD', KEYS[i + 5], digits(now), n)
    redis.call('ZREM', KEYS[i + 2], n)
  else
    if try ~= '' then
      state.attempts = state.attempts + 1
      keep_try(KEYS[i + 1], n, state, try)
    end
    state.starts = tonumber(starts_left) or state.attempts
    state.state = verdict
    if verdict == 'dead' then
      state.reason = detail
      bury(KEYS[i + 3], KEYS[i + 4], n, state, now_us)
      redis.call('ZREM', KEYS[i + 2], n)
    else
      schedule(KEYS[i + 2], n, state, now + detail, now)
    end
  end
  keep_state(KEYS[i + 1], n, state)
end

let_through(KEYS[1])
local at, lost = 2, {}
for i = 1, #KEYS, 6 do
  local held = is_held(cursor_of(KEYS[i], ARGV[1]), ARGV[at])
  local count = tonumber(ARGV[at + 1])
  at = at + 2
  if not held then
    lost[#lost + 1] = (i - 1) / 6
  else
    for d = at, at + count * 7 - 1, 7 do
      settle(i, unpack(ARGV, d, d + 6))
    end
  end
  at = at + count * 7
end
return lost
