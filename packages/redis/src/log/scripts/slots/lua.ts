// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { clockLua, cursorLua, entryIdLua } from '../lua.ts'

/** `count-relays.lua` */
export const countRelaysLua: string = `
${clockLua}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', digits(now - 1))
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  local most = digits(now + 10 * ARGV[2])
  for _, relay in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. most, '+inf')) do
    redis.call('ZADD', KEYS[1], most, relay)
  end
  redis.call('ZADD', KEYS[1], digits(now + ARGV[2]), ARGV[1])
end
return redis.call('ZCARD', KEYS[1])
`

/** `release-slots.lua` */
export const releaseSlotsLua: string = `
${cursorLua}
let_through(KEYS[1])
for i = 1, #KEYS do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local leaves = cursor and ARGV[2] ~= '' and cursor.relay == ARGV[2]
  if leaves or is_held(cursor, ARGV[i + 2]) then
    cursor.relay = ''
    cursor.lease_until = 0
    keep(KEYS[i], ARGV[1], cursor)
  end
end
return 'released'
`

/** `renew-slots.lua` */
export const renewSlotsLua: string = `
${clockLua}
${cursorLua}
${entryIdLua}
let_through(KEYS[1])
local states = {}
for i = 1, #KEYS, 2 do
  local slot = (i + 1) / 2
  local cursor, epoch = cursor_of(KEYS[i], ARGV[1]), ARGV[slot + 3]
  if not cursor then
    states[slot] = epoch == '' and 'unknown' or 'lost'
  else
    local changed = cursor.abandoned or now < cursor.seen or now - cursor.seen > tonumber(ARGV[3])
    if cursor.leased_at and now < cursor.leased_at then
      cursor.lease_until = now + math.max(0, cursor.lease_until - cursor.leased_at)
      cursor.leased_at, changed = now, true
    end
    if cursor.leased_in and cursor.leased_in ~= life() then
      cursor.lease_until = now + math.max(0, cursor.lease_until - (cursor.leased_at or now))
      cursor.leased_at, cursor.leased_in, changed = now, life(), true
    end
    if is_held(cursor, epoch) and cursor.relay == ARGV[2]
      and not is_later(cursor.at, last_id(KEYS[i + 1])) then
      cursor.lease_until, cursor.leased_at, cursor.leased_in = now + ARGV[3], now, life()
      states[slot], changed = 'held', true
    elseif epoch ~= '' then
      states[slot] = cursor.relay == ARGV[2] and 'again' or 'lost'
    elseif cursor.relay == '' or cursor.relay == ARGV[2] or cursor.lease_until < now then
      states[slot] = 'free'
    else
      states[slot] = 'taken'
    end
    if changed then
      cursor.seen = now
      cursor.abandoned = false
      keep(KEYS[i], ARGV[1], cursor)
    end
  end
end
return states
`

/** `take-slots.lua` */
export const takeSlotsLua: string = `
${clockLua}
${cursorLua}
${entryIdLua}
let_through(KEYS[1])
local taken = {}
for i = 1, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local silent = cursor and cursor.relay ~= '' and cursor.relay ~= ARGV[2]
  if not cursor or silent and cursor.lease_until >= now then
    taken[#taken + 1] = {}
  else
    if silent then
      cursor.crashes = cursor.crashes + 1
    end
    cursor.relay = ARGV[2]
    cursor.lease_until, cursor.leased_at, cursor.leased_in = now + ARGV[3], now, life()
    cursor.epoch = digits(math.max(cursor.epoch + 1, now_us))
    if is_later(cursor.at, last_id(KEYS[i + 1])) then
      cursor.at = '0-0'
    end
    keep(KEYS[i], ARGV[1], cursor)
    taken[#taken + 1] = {cursor.epoch, cursor.at, cursor.crashes, life(), cursor.suspect or ''}
  end
end
return taken
`
