-- KEYS[1] the pause of a consumer
return redis.call('EXISTS', KEYS[1])
