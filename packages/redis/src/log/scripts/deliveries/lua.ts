// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { clockLua, cursorLua, deliveryLua } from '../lua.ts'

/** `find-by-event.lua` */
export const findByEventLua: string = `
local found = {}
for i = 1, #KEYS do
  local numbers = {}
  for a = 1, #ARGV do
    local n = redis.call('HGET', KEYS[i], ARGV[a])
    numbers[#numbers + 1] = n or nil
  end
  found[#found + 1] = numbers
end
return found
`

/** `find-deliveries.lua` */
export const findDeliveriesLua: string = `
${deliveryLua}
local at, found = 1, {}
for i = 1, #KEYS do
  local last = at + ARGV[at]
  for d = at + 1, last do
    local n = ARGV[d]
    local kept = redis.call('HMGET', KEYS[i],
      n .. ':state', n .. ':event', n .. ':data', n .. ':note')
    if kept[1] then
      local state, tries = cjson.decode(kept[1]), {}
      for try = math.max(1, state.tries - KEPT_TRIES + 1), state.tries do
        tries[#tries + 1] = redis.call('HGET', KEYS[i], n .. ':try:' .. try)
      end
      found[#found + 1] = {i - 1, n, kept[1], kept[2], kept[3], kept[4] or '', tries}
    end
  end
  at = last + 1
end
return found
`

/** `list-retrying.lua` */
export const listRetryingLua: string = `
${deliveryLua}
local found = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local page = {}
for d = 1, #found, 2 do
  local n = found[d]
  local state = state_of(KEYS[2], n)
  if state then
    local kept = redis.call('HMGET', KEYS[2], n .. ':state', n .. ':event', n .. ':note',
      n .. ':try:' .. state.tries)
    page[#page + 1] = {tonumber(n), found[d + 1], kept[1], kept[2], kept[3] or '', kept[4] or ''}
  end
end
return page
`

/** `next-due.lua` */
export const nextDueLua: string = `
${clockLua}
${cursorLua}
${deliveryLua}
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
local LOOKED_AT = 2000
local next = {}
for i = 1, #KEYS, 3 do
  local slot = (i - 1) / 3
  local looked = all and tonumber(ARGV[2]) or LOOKED_AT
  local due = redis.call('ZRANGE', KEYS[i + 2], 0, looked - 1, 'WITHSCORES')
  if #due > 0 and is_held(cursor_of(KEYS[i], ARGV[1]), ARGV[at + slot]) then
    local left = tonumber(ARGV[2])
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
`

/** `page-retrying.lua` */
export const pageRetryingLua: string = `
local events = {}
for i, n in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1)) do
  events[i] = redis.call('HGET', KEYS[2], n .. ':event')
end
return events
`

/** `settle-deliveries.lua` */
export const settleDeliveriesLua: string = `
${clockLua}
${cursorLua}
${deliveryLua}
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
`

/** `start-deliveries.lua` */
export const startDeliveriesLua: string = `
${cursorLua}
${deliveryLua}
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
`
