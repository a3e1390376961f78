-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../delivery.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its deliveries
-- KEYS[i + 2] the consumer's deliveries that are retrying
-- ARGV[1]     consumer
-- ARGV[2]     how many deliveries of each slot at most
-- ARGV[3]     number of types; ARGV[4] number of prefixes of types; both '0': any type
-- ARGV[5..]   the types, the prefixes, and then the epoch with which each slot is held
local whole, beginnings = {}, {}
local at = 5 + ARGV[3] + ARGV[4]
local all = at == 5
for i = 5, at - 1 do
  if i < 5 + ARGV[3] then
    whole[ARGV[i]] = true
  else
    beginnings[#beginnings + 1] = ARGV[i]
  end
end

-- Whether the delivery has one of the types. Types are given only while two releases with different
-- types run side by side; otherwise the event is not read.
local function is_meant(deliveries, n)
  if all then
    return true
  end
  local raw = redis.call('HGET', deliveries, n .. ':event')
  local kind = raw and cjson.decode(raw).type
  if not kind or whole[kind] then
    return kind ~= nil
  end
  for _, beginning in ipairs(beginnings) do
    if string.sub(kind, 1, #beginning) == beginning then
      return true
    end
  end
  return false
end

-- Reschedules a delivery that was scheduled before the clock was put back, which shows because
-- `timed_at`, when it was scheduled, is in the future. It becomes due as far ahead of now as it was
-- ahead of `timed_at`. Returns the time at which it is due, and whether it was scheduled since.
local TOLERATED_MS = 5000
local function moved(i, n, due)
  local state = state_of(KEYS[i + 1], n)
  if not state or not state.timed_at then
    return due, false
  end
  if state.timed_at <= now + TOLERATED_MS then
    return due, true
  end
  let_through(KEYS[i])
  local at_ms = math.min(due, now + (due - state.timed_at))
  schedule(KEYS[i + 2], n, state, at_ms, now)
  keep_state(KEYS[i + 1], n, state)
  return at_ms, false
end

-- With types, deliveries of other types may come first, which relays of other releases take. So
-- more deliveries are looked at.
local LOOKED_AT = 2000
local next = {}
for i = 1, #KEYS, 3 do
  local slot = (i - 1) / 3
  local looked = all and tonumber(ARGV[2]) or LOOKED_AT
  local due = redis.call('ZRANGE', KEYS[i + 2], 0, looked - 1, 'WITHSCORES')
  if #due > 0 and is_held(cursor_of(KEYS[i], ARGV[1]), ARGV[at + slot]) then
    local left = tonumber(ARGV[2])
    -- Reschedules waiting deliveries from the first one on, up to one that was scheduled since.
    local is_since = false
    for d = 1, #due, 2 do
      if left == 0 then
        break
      end
      if is_meant(KEYS[i + 1], due[d]) then
        left = left - 1
        local at_ms = tonumber(due[d + 1])
        if at_ms > now and not is_since then
          at_ms, is_since = moved(i, due[d], at_ms)
        end
        local in_ms, dubious, bytes = at_ms - now, 0, 0
        if in_ms <= 0 then
          local state = state_of(KEYS[i + 1], due[d])
          dubious = state and state.starts > state.attempts and 1 or 0
          bytes = redis.call('HSTRLEN', KEYS[i + 1], due[d] .. ':event')
            + redis.call('HSTRLEN', KEYS[i + 1], due[d] .. ':data')
        end
        next[#next + 1] = {slot, tonumber(due[d]), in_ms, dubious, bytes}
      end
    end
  end
end
return next
