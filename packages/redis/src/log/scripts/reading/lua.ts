// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { clockLua, cursorLua, deliveryLua, entryIdLua } from '../lua.ts'

/** `advance.lua` */
export const advanceLua: string = `
${clockLua}
${cursorLua}
${entryIdLua}
${deliveryLua}
local function file(i, event_id, event, data, verdict, detail, try)
  local index = 'of:' .. ARGV[1] .. '\\n' .. event_id
  if redis.call('HEXISTS', KEYS[i + 2], index) == 1 then
    return
  end
  local n = string.format('%d', redis.call('HINCRBY', KEYS[i + 2], 'last', 1))
  local tried = try == '' and 0 or 1
  local state = {consumer = ARGV[1], state = verdict, attempts = tried, starts = tried,
    redrives = 0, first_failed_at = now, tries = 0, index = index}
  if tried == 1 then
    keep_try(KEYS[i + 2], n, state, try)
  end
  if verdict == 'dead' then
    state.reason = detail
    bury(KEYS[i + 4], KEYS[i + 5], n, state, now_us)
  else
    schedule(KEYS[i + 3], n, state, now + detail, now)
  end
  redis.call('HSET', KEYS[i + 2], index, n, n .. ':event', event, n .. ':data', data)
  keep_state(KEYS[i + 2], n, state)
end
let_through(KEYS[1])
local at, lost = 2, {}
for i = 1, #KEYS, 6 do
  local epoch, position, calm, failures =
    ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if not is_held(cursor, epoch) or is_later(cursor.at, position)
    or position ~= cursor.at and is_later(position, last_id(KEYS[i + 1])) then
    lost[#lost + 1] = (i - 1) / 6
  else
    for f = at, at + failures * 6 - 1, 6 do
      file(i, ARGV[f], ARGV[f + 1], ARGV[f + 2], ARGV[f + 3], ARGV[f + 4], ARGV[f + 5])
    end
    cursor.at = position
    if calm == '1' then
      cursor.crashes = 0
    end
    keep(KEYS[i], ARGV[1], cursor)
  end
  at = at + failures * 6
end
return lost
`

/** `emit-once.lua` */
export const emitOnceLua: string = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'duplicate'
end
local at = 2
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'done'
`

/** `measure-lag.lua` */
export const measureLagLua: string = `
${clockLua}
${cursorLua}
${entryIdLua}
local BYTES = 1048576
local count, seen, oldest_ms = 0, 0, -1
local left, bytes_left = tonumber(ARGV[2]), BYTES
local go_on, known = {}, 0
for i = 1, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local behind = ARGV[(i + 5) / 2]
  known = cursor and 1 or known
  local start = cursor and (is_later(cursor.at, last_id(KEYS[i + 1])) and '0-0' or cursor.at)
  local position = cursor and (behind ~= '' and behind or start)
  local portion, all = 1, not position
  while not all and bytes_left > 0 and count < left do
    local found = redis.call('XRANGE', KEYS[i + 1], '(' .. position, '+', 'COUNT', portion)
    for _, entry in ipairs(found) do
      for f = 1, #entry[2] do
        bytes_left = bytes_left - #entry[2][f]
      end
    end
    local first = position == start and found[1]
    if first then
      oldest_ms = math.max(oldest_ms, 0, now - string.match(first[1], '^%d+'))
    end
    seen = seen + #found
    all = #found < portion
    if first and redis.call('XRANGE', KEYS[i + 1], '-', '+', 'COUNT', 1)[1][1] == first[1] then
      count, all = count + redis.call('XLEN', KEYS[i + 1]), true
    else
      count = count + #found
      position = #found > 0 and found[#found][1] or position
    end
    local each = math.max(1, (BYTES - bytes_left) / math.max(1, seen))
    portion = math.max(1, math.min(100, left - count, math.floor(bytes_left / each)))
  end
  go_on[#go_on + 1] = all and '' or position
end
return {math.min(count, left), oldest_ms, go_on, known}
`

/** `read-entries.lua` */
export const readEntriesLua: string = `
${cursorLua}
local left, bytes_left = tonumber(ARGV[1]), math.abs(ARGV[4])
local is_share = tonumber(ARGV[4]) < 0
local whole, beginnings = {}, {}
local at = 7 + ARGV[5] + ARGV[6]
local all = at == 7
for i = 7, at - 1 do
  if i < 7 + ARGV[5] then
    whole[ARGV[i]] = true
  else
    beginnings[#beginnings + 1] = ARGV[i]
  end
end
for i = 2, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[2])
  if cursor and cursor.wanted and cursor.wanted ~= ARGV[3] then
    return 'changed'
  end
end
local function is_wanted(kind)
  if all or not kind or whole[kind] then
    return true
  end
  for _, beginning in ipairs(beginnings) do
    if string.sub(kind, 1, #beginning) == beginning then
      return true
    end
  end
  return false
end
local function type_of(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'type' then
      return fields[i + 1]
    end
  end
end
local function bytes_in(fields)
  local bytes = 0
  for i = 1, #fields do
    bytes = bytes + #fields[i]
  end
  return bytes
end
local pages = {}
for i = 1, #KEYS, 2 do
  local asked = ARGV[at + (i - 1) / 2]
  local position, life_then = string.match(asked, '^(.*)@(.*)$')
  if life_then ~= life() then
    return 'restored'
  end
  local entries, more = {}, 1
  local count = is_share and 4 or 16
  while left > 0 and bytes_left > 0 and more == 1 do
    count = math.min(count, left)
    local found = redis.call('XRANGE', KEYS[i], '(' .. position, '+', 'COUNT', count)
    more = #found == count and 1 or 0
    local passed, bytes = 0, 0
    for _, entry in ipairs(found) do
      local wanted = is_wanted(not all and type_of(entry[2]))
      local size = bytes_in(entry[2])
      if bytes >= bytes_left or is_share and wanted and bytes + size > bytes_left then
        more, bytes = 1, bytes_left
        break
      end
      if wanted then
        entries[#entries + 1] = entry
      end
      bytes = bytes + size
      position = entry[1]
      passed = passed + 1
    end
    left = left - passed
    bytes_left = bytes_left - bytes
    if #found > 0 then
      local each = math.max(1, bytes / #found)
      count = math.max(1, math.min(left, math.floor(bytes_left / each)))
    end
  end
  pages[#pages + 1] = {position, more, entries}
end
return pages
`

/** `suspect-event.lua` */
export const suspectEventLua: string = `
${cursorLua}
local cursor = cursor_of(KEYS[1], ARGV[1])
if not is_held(cursor, ARGV[2]) then
  return -1
end
let_through(KEYS[1])
local is_counted = cursor.suspect == ARGV[3]
local back_to = tonumber(ARGV[4])
if back_to >= 0 then
  if is_counted then
    cursor.starts = back_to
    cursor.suspect = back_to > 0 and ARGV[3] or ''
    keep(KEYS[1], ARGV[1], cursor)
  end
  return back_to
end
if is_counted and cursor.started == ARGV[5] then
  return cursor.starts
end
cursor.starts = is_counted and cursor.starts + 1 or 1
cursor.suspect = ARGV[3]
cursor.started = ARGV[5]
keep(KEYS[1], ARGV[1], cursor)
return cursor.starts
`

/** `trim-slots.lua` */
export const trimSlotsLua: string = `
${clockLua}
${cursorLua}
${entryIdLua}
${deliveryLua}
local function is_given_up(consumers, name, cursor)
  local since = cursor.silent_at
  if not since or since < cursor.seen or since > now then
    cursor.silent_at = now
  elseif now - since >= tonumber(ARGV[5]) then
    cursor.abandoned = true
  else
    return false
  end
  keep(consumers, name, cursor)
  return cursor.abandoned
end
let_through(KEYS[1])
local dropped, silent, more, left = 0, {}, 0, 20000
for i = 1, #KEYS, 4 do
  local consumers = redis.call('HGETALL', KEYS[i])
  local passed, ends = nil, last_id(KEYS[i + 1])
  for c = 1, #consumers, 2 do
    local cursor = cjson.decode(consumers[c + 1])
    local abandoned = now - cursor.seen > tonumber(ARGV[3])
    if abandoned and not cursor.abandoned then
      abandoned = is_given_up(KEYS[i], consumers[c], cursor)
      if abandoned then
        silent[#silent + 1] = {consumers[c], cursor.seen, 'abandoned'}
      end
    end
    if not abandoned and now - cursor.seen > tonumber(ARGV[2]) then
      silent[#silent + 1] = {consumers[c], cursor.seen, 'missing'}
    end
    if not abandoned and is_later(cursor.at, ends) then
      passed = '0-0'
    elseif not abandoned and (not passed or is_later(passed, cursor.at)) then
      passed = cursor.at
    end
  end
  if #consumers > 0 then
    local old = digits(math.max(0, now - ARGV[1])) .. '-0'
    local upto = old
    local ahead = passed and string.match(passed, '^%d+') - now > tonumber(ARGV[3])
    if passed and (ahead or is_later(old, passed)) then
      local ms, number = string.match(passed, '^(%d+)%-(%d+)$')
      upto = #number > 15 and passed or ms .. '-' .. digits(number + 1)
    end
    local room = left >= 1000
    local taken = room and redis.call('XTRIM', KEYS[i + 1], 'MINID', '~', upto, 'LIMIT', left) or 0
    if not room or taken > left / 2 then
      more = 1
    else
      taken = taken + redis.call('XTRIM', KEYS[i + 1], 'MINID', upto)
    end
    left = left - taken
    dropped = dropped + taken
  end
  local over = redis.call('ZRANGEBYSCORE', KEYS[i + 3], '-inf', digits(now - ARGV[4]),
    'LIMIT', 0, 100)
  for _, n in ipairs(over) do
    local state = state_of(KEYS[i + 2], n)
    if state then
      forget(KEYS[i + 2], n, state)
    end
    redis.call('ZREM', KEYS[i + 3], n)
  end
end
return {dropped, silent, more}
`
