-- The id of a delivery: the number of its slot, which is the hash tag of its keys, and its number
-- in the slot.
local function id_of(i, n)
  return KEYS[i]:match('.*{(%d+)}') .. '-' .. n
end

-- Goes through numbered deliveries, in groups. Each group has five KEYS: the first has its
-- deliveries, the second its dead letters, the fifth the audit of the slot. ARGV, from `first` on,
-- has for each group a count and then that many numbers. For a delivery for which `is_meant`
-- returns true, `change` is called and the result is `outcome`. For any other delivery the result
-- is its state, or 'retired' if it is dead and its consumer was retired; `told` replaces this if
-- given. `done`, if given, is called for each group with the ids that were changed.
local function each_dead(first, is_meant, change, outcome, done, told)
  local at, outcomes = first, {}
  for i = 1, #KEYS, 5 do
    local last, changed = at + ARGV[at], {}
    for d = at + 1, last do
      local n = ARGV[d]
      local state = state_of(KEYS[i], n)
      if state and is_meant(i, state) then
        change(i, n, state)
        redis.call('ZREM', KEYS[i + 1], n)
        outcomes[#outcomes + 1] = outcome
        changed[#changed + 1] = id_of(i, n)
      else
        outcomes[#outcomes + 1] = told and told(state)
          or state and state.state == 'dead' and 'retired' or word_of(state)
      end
    end
    if done and #changed > 0 then
      done(i, changed)
    end
    at = last + 1
  end
  return outcomes
end
