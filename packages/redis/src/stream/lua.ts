// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.

/** `append-events.lua` */
export const appendEventsLua: string = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
  return 'stored'
end
local at = 2
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'stored'
`
