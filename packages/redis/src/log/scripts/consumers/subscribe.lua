-- @include ../clock.lua
-- @include ../cursor.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- ARGV[1]     consumer
-- ARGV[2]     'beginning' or 'now'
let_through(KEYS[1])
for i = 1, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if not cursor then
    local last = ARGV[2] == 'now' and redis.call('XREVRANGE', KEYS[i + 1], '+', '-', 'COUNT', 1)[1]
    cursor = {at = last and last[1] or '0-0', relay = '', epoch = '0', lease_until = 0,
      crashes = 0, suspect = '', starts = 0}
  end
  cursor.seen = now
  cursor.abandoned = false
  keep(KEYS[i], ARGV[1], cursor)
end
return 'known'
