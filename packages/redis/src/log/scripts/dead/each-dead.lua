-- Goes through numbered deliveries. There are four KEYS per group: the first holds its deliveries,
-- the second its dead letters. ARGV, from `first` on, has for each group a count and then that many
-- numbers. For a delivery that `is_meant` it runs `change` and notes `outcome`. For any other it
-- notes the state that the delivery is in, or that its consumer was retired.
local function each_dead(first, is_meant, change, outcome)
  local at, outcomes = first, {}
  for i = 1, #KEYS, 4 do
    local last = at + ARGV[at]
    for d = at + 1, last do
      local n = ARGV[d]
      local state = state_of(KEYS[i], n)
      if state and is_meant(i, state) then
        change(i, n, state)
        redis.call('ZREM', KEYS[i + 1], n)
        outcomes[#outcomes + 1] = outcome
      else
        outcomes[#outcomes + 1] = state and state.state == 'dead' and 'retired' or word_of(state)
      end
    end
    at = last + 1
  end
  return outcomes
end
