-- The id of a delivery: its slot, which is the hash tag of its keys, and its number.
local function id_of(i, n)
  return KEYS[i]:match('{(%d+)}') .. '-' .. n
end

-- Goes through numbered deliveries. There are five KEYS per group: the first holds its deliveries,
-- the second its dead letters, the fifth the audit of the slot. ARGV, from `first` on, has for each
-- group a count and then that many numbers. For a delivery that `is_meant` it runs `change` and
-- notes `outcome`. For any other it notes the state that the delivery is in, or that its consumer
-- was retired, or what `told` says of it. With `done` it tells the ids of each group that were
-- changed.
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
