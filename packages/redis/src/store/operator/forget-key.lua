-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the audit of its partition
-- ARGV[1]   the act
-- ARGV[2]   the actor
-- ARGV[3]   the target of the audit entry
-- ARGV[4]   the note of the actor
-- ARGV[5]   the detail of the audit entry, as JSON
-- ARGV[6]   the name of this act, which no other act has
-- ARGV[7]   the fingerprint of the record that the operator means
-- @include key-state.lua
-- @include done-before.lua
if found ~= 'finished' and found ~= 'result-gone' then
  return {found}
end
if fingerprint ~= ARGV[7] then
  return {'other-request'}
end
-- @include enter.lua
-- @include free.lua
-- @include wake.lua
