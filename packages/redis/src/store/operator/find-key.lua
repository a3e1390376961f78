-- KEYS[1]   the record
-- KEYS[2]   its result
-- @include ./key-state.lua
if found == 'absent' then
  return {found}
end
return {found, fingerprint, number or '', claimed_at or '', lease_until or '', done_at or '',
  found == 'finished' and redis.call('GET', KEYS[2]) or ''}
