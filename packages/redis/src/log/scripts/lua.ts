// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.

/** `clock.lua` */
export const clockLua: string = `
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)
local function digits(number)
  return string.format('%.0f', number)
end
`

/** `cursor.lua` */
export const cursorLua: string = `
local life_now
local function life()
  if not life_now then
    local told = redis.pcall('INFO', 'replication')
    life_now = type(told) == 'string' and string.match(told, 'master_replid:(%w+)') or ''
  end
  return life_now
end
local function cursor_of(consumers, consumer)
  local raw = redis.call('HGET', consumers, consumer)
  return raw and cjson.decode(raw)
end
local function keep(consumers, consumer, cursor)
  redis.call('HSET', consumers, consumer, cjson.encode(cursor))
end
local function let_through(consumers)
  redis.call('HDEL', consumers, '')
end
local function is_held(cursor, epoch)
  return cursor and cursor.relay ~= '' and epoch == cursor.epoch .. '@' .. life()
end
`

/** `delivery.lua` */
export const deliveryLua: string = `
local KEPT_TRIES = 100
local function state_of(deliveries, n)
  local raw = redis.call('HGET', deliveries, n .. ':state')
  return raw and cjson.decode(raw)
end
local function keep_state(deliveries, n, state)
  redis.call('HSET', deliveries, n .. ':state', cjson.encode(state))
end
local function schedule(retrying, n, state, at_ms, now)
  state.timed_at = now
  redis.call('ZADD', retrying, string.format('%.0f', at_ms), n)
end
local function keep_try(deliveries, n, state, try)
  state.tries = state.tries + 1
  redis.call('HSET', deliveries, n .. ':try:' .. state.tries, try)
  redis.call('HDEL', deliveries, n .. ':try:' .. (state.tries - KEPT_TRIES))
end
local function bury(dead, arrived, n, state, now_us)
  local last = redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')[2]
  local at = string.format('%.0f', math.max(now_us, (tonumber(last) or 0) + 1))
  redis.call('ZADD', dead, at, n)
  redis.call('ZREMRANGEBYSCORE', arrived, '-inf', string.format('%.0f', now_us - 3600000000))
  redis.call('ZADD', arrived, at, n .. ':' .. at)
  state.dead_at = math.floor(tonumber(at) / 1000)
end
local function forget(deliveries, n, state)
  redis.call('HDEL', deliveries, state.index,
    n .. ':state', n .. ':event', n .. ':data', n .. ':note')
  for try = math.max(1, state.tries - KEPT_TRIES), state.tries do
    redis.call('HDEL', deliveries, n .. ':try:' .. try)
  end
end
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
`

/** `entry-id.lua` */
export const entryIdLua: string = `
local function is_later(one, other)
  local a, b = string.match(one, '^(%d+)%-(%d+)$')
  local x, y = string.match(other, '^(%d+)%-(%d+)$')
  if a == x then
    a, x = b, y
  end
  if #a ~= #x then
    return #a > #x
  end
  return a > x
end
local function last_id(stream)
  if redis.call('EXISTS', stream) == 0 then
    return '0-0'
  end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return info[i + 1]
    end
  end
  return '0-0'
end
`
