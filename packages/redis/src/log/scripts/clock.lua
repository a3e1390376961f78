-- The server's clock, in microseconds and in milliseconds. Lua numbers are exact up to 2^53, which
-- microseconds reach in the year 2255.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)

local function digits(number)
  return string.format('%.0f', number)
end
