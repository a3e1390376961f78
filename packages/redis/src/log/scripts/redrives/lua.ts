// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { eachDeadLua } from '../dead/lua.ts'
import { clockLua, deliveryLua } from '../lua.ts'

/** `redrive.lua` */
export const redriveLua: string = `
local function redrive_key(id)
  return KEYS[1] .. ':' .. id
end
local function portions_key(id)
  return redrive_key(id) .. ':portions'
end
local running_key = KEYS[1] .. ':running'
local function due_at(next_at, rate, present)
  if tonumber(next_at) > present + 10000 + 1000 / rate then
    return present
  end
  return tonumber(next_at)
end
`

/** `cancel-redrive.lua` */
export const cancelRedriveLua: string = `
${clockLua}
${redriveLua}
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'state', 'matched', 'redriven', 'plan')
if not redrive[1] then
  return 'unknown'
end
if redrive[1] ~= 'running' then
  return 'over'
end
redis.call('HSET', redrive_key(ARGV[1]), 'state', 'cancelled', 'ended_at', digits(now))
if not redrive[4] then
  redis.call('ZREM', running_key, ARGV[1])
end
redis.call('XADD', KEYS[2], '*', 'act', 'redrives.cancel', 'actor', ARGV[2],
  'target', '["redrive","' .. ARGV[1] .. '"]', 'note', ARGV[3],
  'detail', '{"matched":' .. redrive[2] .. ',"redriven":' .. redrive[3] .. '}')
return 'cancelled'
`

/** `end-portion.lua` */
export const endPortionLua: string = `
${clockLua}
${redriveLua}
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'plan', 'state', 'most', 'rate',
  'next_at', 'redriven')
if redrive[1] ~= ARGV[2] then
  return 0
end
local state, most, rate = redrive[2], redrive[3], redrive[4]
local taken = ARGV[3] + ARGV[4]
local next_at = math.max(due_at(redrive[5], rate, now), now - 1000) + math.ceil(taken * 1000 / rate)
local is_over = ARGV[7] == '1' or most ~= '' and redrive[6] + ARGV[3] >= tonumber(most)
redis.call('HINCRBY', redrive_key(ARGV[1]), 'redriven', ARGV[3])
redis.call('HINCRBY', redrive_key(ARGV[1]), 'refused', ARGV[4])
redis.call('HINCRBY', redrive_key(ARGV[1]), 'portions', 1)
redis.call('HSET', redrive_key(ARGV[1]), 'cursor', ARGV[6], 'next_at', digits(next_at))
redis.call('HDEL', redrive_key(ARGV[1]), 'plan')
if taken > 0 then
  local number = redis.call('HINCRBY', redrive_key(ARGV[1]), 'listed', 1)
  redis.call('HSET', portions_key(ARGV[1]), number, digits(now) .. ' ' .. ARGV[5])
end
if state == 'running' and is_over then
  redis.call('HSET', redrive_key(ARGV[1]), 'state', 'done', 'ended_at', digits(now))
end
if state ~= 'running' or is_over then
  redis.call('ZREM', running_key, ARGV[1])
else
  redis.call('ZADD', running_key, digits(next_at), ARGV[1])
end
return 1
`

/** `find-redrives.lua` */
export const findRedrivesLua: string = `
${redriveLua}
local first = tonumber(ARGV[1] ~= '' and ARGV[1] or redis.call('HGET', KEYS[1], 'last') or 0)
local found = {}
for number = first, math.max(1, first - ARGV[2] + 1), -1 do
  local id = string.format('%.0f', number)
  local redrive = redis.call('HMGET', redrive_key(id), 'kind', 'filter', 'rate', 'most', 'state',
    'matched', 'redriven', 'refused', 'actor', 'note', 'started_at', 'ended_at')
  if redrive[1] then
    redrive[12] = redrive[12] or ''
    found[#found + 1] = {id, unpack(redrive)}
  end
end
return found
`

/** `list-portions.lua` */
export const listPortionsLua: string = `
${redriveLua}
local listed = tonumber(redis.call('HGET', redrive_key(ARGV[1]), 'listed') or 0)
local found = {}
for number = ARGV[2] + 1, math.min(listed, ARGV[2] + ARGV[3]) do
  found[#found + 1] = redis.call('HGET', portions_key(ARGV[1]), string.format('%.0f', number))
end
return found
`

/** `plan-portion.lua` */
export const planPortionLua: string = `
${redriveLua}
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'state', 'portions', 'plan')
if redrive[2] ~= ARGV[2] then
  return ''
end
if redrive[3] then
  return redrive[3]
end
if redrive[1] ~= 'running' then
  return ''
end
redis.call('HSET', redrive_key(ARGV[1]), 'plan', ARGV[3])
return ARGV[3]
`

/** `put-off-redrive.lua` */
export const putOffRedriveLua: string = `
${clockLua}
${redriveLua}
if not redis.call('ZSCORE', running_key, ARGV[1]) then
  return 0
end
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'next_at', 'rate')
if due_at(redrive[1], redrive[2], now) > now then
  return 0
end
local next_at = digits(now + ARGV[2])
redis.call('HSET', redrive_key(ARGV[1]), 'next_at', next_at)
redis.call('ZADD', running_key, next_at, ARGV[1])
return 1
`

/** `running-redrives.lua` */
export const runningRedrivesLua: string = `
${clockLua}
${redriveLua}
local ids, seen = {}, {}
for _, range in ipairs({{0, ARGV[1] - 1}, {-ARGV[1], -1}}) do
  for _, id in ipairs(redis.call('ZRANGE', running_key, range[1], range[2])) do
    if not seen[id] then
      seen[id], ids[#ids + 1] = true, id
    end
  end
end
local found = {}
for at, id in ipairs(ids) do
  local redrive = redis.call('HMGET', redrive_key(id), 'filter', 'rate', 'most', 'redriven',
    'started_us', 'cursor', 'portions', 'plan', 'next_at')
  local due = due_at(redrive[9], redrive[2], now)
  found[at] = {due = due, at = at, answer = {id, redrive[1], redrive[2], redrive[3], redrive[4],
    redrive[5], redrive[6], redrive[7], redrive[8] or '', digits(due - now)}}
end
table.sort(found, function(one, other)
  if one.due ~= other.due then
    return one.due < other.due
  end
  return one.at < other.at
end)
local answers = {}
for at = 1, math.min(#found, ARGV[1]) do
  answers[at] = found[at].answer
end
return answers
`

/** `start-redrive.lua` */
export const startRedriveLua: string = `
${clockLua}
${redriveLua}
local known = ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'request:' .. ARGV[1])
if known then
  return known
end
local number = redis.call('HINCRBY', KEYS[1], 'last', 1)
local id = digits(number)
redis.call('HSET', redrive_key(id), 'kind', 'dead-letters', 'filter', ARGV[2], 'rate', ARGV[3],
  'most', ARGV[4], 'matched', ARGV[5], 'actor', ARGV[6], 'note', ARGV[7], 'state', 'running',
  'redriven', '0', 'refused', '0', 'started_at', digits(now),
  'started_us', digits(math.max(now_us, ARGV[10])),
  'next_at', digits(now), 'cursor', '', 'portions', '0', 'request', ARGV[1])
redis.call('ZADD', running_key, digits(now), id)
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], 'request:' .. ARGV[1], id)
end
redis.call('XADD', KEYS[2], '*', 'act', 'redrives.start', 'actor', ARGV[6],
  'target', '["redrive","' .. id .. '"]', 'note', ARGV[7], 'detail', ARGV[8])
local old = digits(number - ARGV[9])
if number > tonumber(ARGV[9]) and not redis.call('ZSCORE', running_key, old) then
  local request = redis.call('HGET', redrive_key(old), 'request')
  if request and request ~= '' then
    redis.call('HDEL', KEYS[1], 'request:' .. request)
  end
  redis.call('DEL', redrive_key(old), portions_key(old))
end
return id
`

/** `take-planned.lua` */
export const takePlannedLua: string = `
${clockLua}
${deliveryLua}
${eachDeadLua}
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
local function taken_before(state)
  return state and state.redrive == ARGV[1] and 'redriven'
end
return each_dead(2, is_meant, redrive, 'redriven', nil, taken_before)
`
