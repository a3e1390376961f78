-- One delivery in its stored form, and when it died.
local function kept(deliveries, n, died_at)
  local raw = redis.call('HGET', deliveries, n .. ':state')
  local last = redis.call('HMGET', deliveries, n .. ':event', n .. ':note',
    n .. ':try:' .. cjson.decode(raw).tries)
  return {tonumber(n), died_at, raw, last[1], last[2] or '', last[3] or ''}
end
