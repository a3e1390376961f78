-- KEYS[i] the consumers of each slot
local names = {}
for i = 1, #KEYS do
  for _, name in ipairs(redis.call('HKEYS', KEYS[i])) do
    names[#names + 1] = name
  end
end
return names
