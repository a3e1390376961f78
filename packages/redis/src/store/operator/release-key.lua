-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the audit of its partition
-- ARGV[1]   the act
-- ARGV[2]   who
-- ARGV[3]   on which key
-- ARGV[4]   why
-- ARGV[5]   what it wrote, as JSON
-- @include key-state.lua
if found ~= 'unknown' then
  return {found}
end
-- @include enter.lua
-- @include free.lua
-- @include wake.lua
