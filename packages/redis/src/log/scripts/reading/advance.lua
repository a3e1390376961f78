-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../entry-id.lua
-- @include ../delivery.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- KEYS[i + 2] its deliveries
-- KEYS[i + 3] the consumer's deliveries that are retrying
-- KEYS[i + 4] the dead letters
-- KEYS[i + 5] the letters that died within the last hour
-- ARGV[1]     consumer
-- ARGV[2..]   for each slot its epoch, the position, '1' to reset `crashes`, the number of
--             failed events, and for each of these: its id, the event, its data, 'retrying' or
--             'dead', the delay in milliseconds or the reason, the attempt or nothing
local function file(i, event_id, event, data, verdict, detail, try)
  local index = 'of:' .. ARGV[1] .. '\n' .. event_id
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
    -- Files the events before the cursor moves. If a command of the script fails, its earlier
    -- writes stay: an event that the cursor has passed and that is not on file would be lost.
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
