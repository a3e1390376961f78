-- KEYS[1] the mark
local mark = redis.call('GET', KEYS[1])
return mark and 'retired:' .. mark or ''
