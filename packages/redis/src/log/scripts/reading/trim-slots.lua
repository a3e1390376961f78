-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../entry-id.lua
-- @include ../delivery.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- KEYS[i + 2] its deliveries
-- KEYS[i + 3] the resolved letters
-- ARGV[1]     how long entries are kept, milliseconds
-- ARGV[2]     after how long a consumer is missing, milliseconds
-- ARGV[3]     after how long it no longer keeps entries from being deleted, milliseconds
-- ARGV[4]     how long a resolved dead letter is kept, milliseconds
-- ARGV[5]     after how long it has to be found so once more, milliseconds

-- After the clock was put ahead, or after everything was off, every consumer looks silent at first,
-- though its relays live or are about to start. So it has to be found silent twice.
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
      -- Of a stream that was lost or begun anew: of what is in it now, nothing was passed.
      passed = '0-0'
    elseif not abandoned and (not passed or is_later(passed, cursor.at)) then
      passed = cursor.at
    end
  end
  if #consumers > 0 then
    local old = digits(math.max(0, now - ARGV[1])) .. '-0'
    local upto = old
    -- A stream goes on from ids of a time when the clock was far ahead, so that their age cannot be
    -- told: what was passed is old enough.
    local ahead = passed and string.match(passed, '^%d+') - now > tonumber(ARGV[3])
    if passed and (ahead or is_later(old, passed)) then
      local ms, number = string.match(passed, '^(%d+)%-(%d+)$')
      -- With more than 15 digits a Lua number is not exact, so the passed entry itself is kept.
      upto = #number > 15 and passed or ms .. '-' .. digits(number + 1)
    end
    -- Trims whole nodes of the stream first, because that can be limited, and then the entries of
    -- the node that is partly passed.
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
