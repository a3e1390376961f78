// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { clockLua, cursorLua } from '../lua.ts'

/** `find-subscriptions.lua` */
export const findSubscriptionsLua: string = `
${clockLua}
return {redis.call('GET', KEYS[1]) or '', digits(now)}
`

/** `is-paused.lua` */
export const isPausedLua: string = `
return redis.call('EXISTS', KEYS[1])
`

/** `list-consumers.lua` */
export const listConsumersLua: string = `
local names = {}
for i = 1, #KEYS do
  for _, name in ipairs(redis.call('HKEYS', KEYS[i])) do
    names[#names + 1] = name
  end
end
return names
`

/** `pause.lua` */
export const pauseLua: string = `
${clockLua}
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'unknown'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 'already'
end
redis.call('XADD', KEYS[3], '*', 'act', 'consumers.pause', 'actor', ARGV[1], 'target', ARGV[2],
  'note', ARGV[3], 'detail', '{}')
redis.call('HSET', KEYS[2], 'at', digits(now), 'by', ARGV[1])
return 'done'
`

/** `resume.lua` */
export const resumeLua: string = `
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'unknown'
end
local was = redis.call('HMGET', KEYS[2], 'at', 'by')
if not was[1] then
  return 'already'
end
redis.call('XADD', KEYS[3], '*', 'act', 'consumers.resume', 'actor', ARGV[1], 'target', ARGV[2],
  'note', ARGV[3], 'detail', cjson.encode({pausedAt = tonumber(was[1]), pausedBy = was[2]}))
redis.call('DEL', KEYS[2])
return 'done'
`

/** `set-subscriptions.lua` */
export const setSubscriptionsLua: string = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 'changed'
end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2])
end
return 'set'
`

/** `spread-wanted.lua` */
export const spreadWantedLua: string = `
${cursorLua}
let_through(KEYS[1])
local known = 0
for i = 1, #KEYS do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if cursor then
    known = known + 1
    if cursor.wanted ~= ARGV[3] and tonumber(ARGV[2]) >= (cursor.wanted_version or 0) then
      cursor.wanted = ARGV[3]
      cursor.wanted_version = tonumber(ARGV[2])
      keep(KEYS[i], ARGV[1], cursor)
    end
  end
end
return known
`

/** `subscribe.lua` */
export const subscribeLua: string = `
${clockLua}
${cursorLua}
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
`
