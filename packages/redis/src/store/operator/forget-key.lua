-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the audit of its partition
-- ARGV[1]   the act
-- ARGV[2]   who
-- ARGV[3]   on which key
-- ARGV[4]   why
-- ARGV[5]   what it wrote, as JSON
-- ARGV[6]   the fingerprint that confirms it
-- @include key-state.lua
if found ~= 'finished' and found ~= 'result-gone' then
  return {found}
end
if fingerprint ~= ARGV[6] then
  return {'other-request'}
end
-- @include enter.lua
-- @include free.lua
-- @include wake.lua
