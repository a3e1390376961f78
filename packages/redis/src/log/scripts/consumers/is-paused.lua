-- KEYS[1] the pause record of a consumer
return redis.call('EXISTS', KEYS[1])
