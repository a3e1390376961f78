// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { clockLua, deliveryLua } from '../lua.ts'

/** `count-dead.lua` */
export const countDeadLua: string = `
${clockLua}
local depth, arrived, drained, oldest = 0, 0, 0, now_us
for i = 1, #KEYS, 3 do
  depth = depth + redis.call('ZCARD', KEYS[i])
  oldest = math.min(oldest, redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or oldest)
  arrived = arrived + redis.call('ZCOUNT', KEYS[i + 1], digits(now_us - 3600000000), '+inf')
  drained = drained + redis.call('ZCOUNT', KEYS[i + 2], digits(now - 3600000), '+inf')
end
return {depth, arrived, drained, digits(math.floor((now_us - oldest) / 1000))}
`

/** `each-dead.lua` */
export const eachDeadLua: string = `
local function id_of(i, n)
  return KEYS[i]:match('.*{(%d+)}') .. '-' .. n
end
local function each_dead(first, is_meant, change, outcome, done, told)
  local at, outcomes = first, {}
  for i = 1, #KEYS, 5 do
    local last, changed = at + ARGV[at], {}
    for d = at + 1, last do
      local n = ARGV[d]
      local state = state_of(KEYS[i], n)
      if state and is_meant(i, state) then
        change(i, n, state)
        redis.call('ZREM', KEYS[i + 1], n)
        outcomes[#outcomes + 1] = outcome
        changed[#changed + 1] = id_of(i, n)
      else
        outcomes[#outcomes + 1] = told and told(state)
          or state and state.state == 'dead' and 'retired' or word_of(state)
      end
    end
    if done and #changed > 0 then
      done(i, changed)
    end
    at = last + 1
  end
  return outcomes
end
`

/** `discard-dead.lua` */
export const discardDeadLua: string = `
${clockLua}
${deliveryLua}
${eachDeadLua}
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
`

/** `kept.lua` */
export const keptLua: string = `
local function kept(deliveries, n, died_at)
  local raw = redis.call('HGET', deliveries, n .. ':state')
  local last = redis.call('HMGET', deliveries, n .. ':event', n .. ':note',
    n .. ':try:' .. cjson.decode(raw).tries)
  return {tonumber(n), died_at, raw, last[1], last[2] or '', last[3] or ''}
end
`

/** `last-death.lua` */
export const lastDeathLua: string = `
local last = 0
for i = 1, #KEYS do
  local newest = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')[2]
  last = math.max(last, tonumber(newest) or 0)
end
return string.format('%.0f', last)
`

/** `page-dead.lua` */
export const pageDeadLua: string = `
${deliveryLua}
${keptLua}
local pages = {}
for i = 1, #KEYS, 2 do
  local page = {}
  local found = redis.call('ZRANGEBYSCORE', KEYS[i], ARGV[3 + (i - 1) / 2], ARGV[2], 'WITHSCORES',
    'LIMIT', 0, ARGV[1])
  for d = 1, #found, 2 do
    page[#page + 1] = kept(KEYS[i + 1], found[d], found[d + 1])
  end
  pages[#pages + 1] = page
end
return pages
`

/** `pick-dead.lua` */
export const pickDeadLua: string = `
${deliveryLua}
${keptLua}
local at, pages = 1, {}
for i = 1, #KEYS, 2 do
  local last, page = at + ARGV[at], {}
  for d = at + 1, last do
    local died_at = redis.call('ZSCORE', KEYS[i], ARGV[d])
    page[#page + 1] = died_at and kept(KEYS[i + 1], ARGV[d], died_at) or nil
  end
  pages[#pages + 1] = page
  at = last + 1
end
return pages
`

/** `redrive-dead.lua` */
export const redriveDeadLua: string = `
${clockLua}
${deliveryLua}
${eachDeadLua}
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
`
