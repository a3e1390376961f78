-- Included by every script that uses deliveries. The deliveries of one slot are in one hash,
-- numbered from 1, each in several fields:
--   <n>:state    JSON: consumer, state, reason, attempts, starts, redrives, first_failed_at,
--                dead_at, resolved_at, resolution; redrive, the portion of a redrive that was the
--                last to put it back; tries, the number of attempts so far, of which the last 100
--                are kept; started, the name of its last start; acted, that of the last act on
--                it; index, the name of its index field (empty: none); and timed_at, when it was
--                last scheduled (in the future if the clock was put back)
--   <n>:event    JSON of the event without its data; scripts read only its type
--   <n>:data     the data, as it was written
--   <n>:try:<m>  JSON of one attempt; never read by a script
--   <n>:note     why it was discarded
--   of:…         an index field: the number of a delivery by consumer and event. Retired deliveries
--                have none
--   last         the highest number

local KEPT_TRIES = 100

local function state_of(deliveries, n)
  local raw = redis.call('HGET', deliveries, n .. ':state')
  return raw and cjson.decode(raw)
end

local function keep_state(deliveries, n, state)
  redis.call('HSET', deliveries, n .. ':state', cjson.encode(state))
end

-- Makes a delivery due at a time. Its state, which the caller stores, says that this was set now.
local function schedule(retrying, n, state, at_ms, now)
  state.timed_at = now
  redis.call('ZADD', retrying, string.format('%.0f', at_ms), n)
end

local function keep_try(deliveries, n, state, try)
  state.tries = state.tries + 1
  redis.call('HSET', deliveries, n .. ':try:' .. state.tries, try)
  redis.call('HDEL', deliveries, n .. ':try:' .. (state.tries - KEPT_TRIES))
end

-- Gives each letter a later time of death than all before it in its slot, so that the times are an
-- order.
local function bury(dead, arrived, n, state, now_us)
  local last = redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')[2]
  local at = string.format('%.0f', math.max(now_us, (tonumber(last) or 0) + 1))
  redis.call('ZADD', dead, at, n)
  redis.call('ZREMRANGEBYSCORE', arrived, '-inf', string.format('%.0f', now_us - 3600000000))
  redis.call('ZADD', arrived, at, n .. ':' .. at)
  -- The same time as in the order, rounded, so that a filter by time finds the letter.
  state.dead_at = math.floor(tonumber(at) / 1000)
end

local function forget(deliveries, n, state)
  redis.call('HDEL', deliveries, state.index,
    n .. ':state', n .. ':event', n .. ':data', n .. ':note')
  for try = math.max(1, state.tries - KEPT_TRIES), state.tries do
    redis.call('HDEL', deliveries, n .. ':try:' .. try)
  end
end

-- One word for what became of a delivery that is not dead.
local function word_of(state)
  if not state then
    return 'unknown'
  end
  if state.state == 'retrying' then
    return 'retrying'
  end
  if state.state == 'dead' then
    return 'not-matched'
  end
  if state.state == 'retired' then
    return 'retired'
  end
  return state.resolution == 'discarded' and 'already-discarded' or 'already-done'
end
