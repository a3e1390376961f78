// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { clockLua, cursorLua, deliveryLua } from '../lua.ts'

/** `begin-retirement.lua` */
export const beginRetirementLua: string = `
local is_known = redis.call('EXISTS', KEYS[3]) == 1
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
if is_known then
  redis.call('XADD', KEYS[5], '*', 'act', 'consumers.retire', 'actor', ARGV[3], 'target', ARGV[4],
    'note', ARGV[5], 'detail', ARGV[6])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'noted'
`

/** `end-retirement.lua` */
export const endRetirementLua: string = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`

/** `find-retirement.lua` */
export const findRetirementLua: string = `
local mark = redis.call('GET', KEYS[1])
return mark and 'retired:' .. mark or ''
`

/** `is-retired.lua` */
export const isRetiredLua: string = `
if ARGV[1] == '1' and redis.call('DEL', KEYS[1]) == 1 then
  redis.call('DEL', KEYS[2])
end
return redis.call('EXISTS', KEYS[1])
`

/** `retire.lua` */
export const retireLua: string = `
for i = 1, #KEYS do
  redis.call('HDEL', KEYS[i], ARGV[1])
end
return 'retired'
`

/** `set-aside.lua` */
export const setAsideLua: string = `
${clockLua}
${cursorLua}
${deliveryLua}
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return {'0', 0}
end
let_through(KEYS[1])
local function keep_apart(n, state, died_at)
  local at = died_at and digits(tonumber(died_at))
  if not at or redis.call('ZCOUNT', KEYS[7], at, at) ~= 0 then
    local last = redis.call('ZRANGE', KEYS[7], -1, -1, 'WITHSCORES')[2]
    at = digits(math.max(now_us, (tonumber(last) or 0) + 1))
  end
  redis.call('ZADD', KEYS[7], at, n)
  if state.state == 'retrying' then
    state.reason, state.dead_at = 'retired', now
    redis.call('ZADD', KEYS[5], digits(now_us), n .. ':' .. digits(now_us))
  end
  state.state = 'retired'
end
local function discard(n, state)
  state.state, state.resolution, state.resolved_at = 'resolved', 'discarded', now
  redis.call('HSET', KEYS[2], n .. ':note', ARGV[6])
  redis.call('ZADD', KEYS[6], digits(now), n)
end
local count = 0
local found = redis.call('HSCAN', KEYS[2], ARGV[3], 'MATCH', ARGV[2], 'COUNT', ARGV[4])
for f = 1, #found[2], 2 do
  local index, n = found[2][f], found[2][f + 1]
  local state = state_of(KEYS[2], n)
  if state and state.consumer == ARGV[1] and state.index == index then
    redis.call('HDEL', KEYS[2], index)
    state.index = ''
    if state.state ~= 'resolved' then
      count = count + 1
      local died_at = redis.call('ZSCORE', KEYS[4], n)
      redis.call('ZREM', KEYS[3], n)
      redis.call('ZREM', KEYS[4], n)
      if ARGV[5] == 'discard' then
        discard(n, state)
      else
        keep_apart(n, state, died_at)
      end
    end
    keep_state(KEYS[2], n, state)
  end
end
return {found[1], count}
`
