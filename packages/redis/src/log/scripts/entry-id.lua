-- Compares ids of entries, which consist of two numbers of any length, and finds the end of a
-- stream.

local function is_later(one, other)
  local a, b = string.match(one, '^(%d+)%-(%d+)$')
  local x, y = string.match(other, '^(%d+)%-(%d+)$')
  if a == x then
    a, x = b, y
  end
  if #a ~= #x then
    return #a > #x
  end
  return a > x
end

-- The last id that was ever handed out, even if the stream was trimmed since. An error must not
-- be mistaken for "no entries", because cursors would start again from the beginning.
local function last_id(stream)
  if redis.call('EXISTS', stream) == 0 then
    return '0-0'
  end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return info[i + 1]
    end
  end
  return '0-0'
end
