-- Before telling what is on record already. `WAIT` behind this script counts the replicas that have
-- what this connection wrote last, so it has to write something: whatever is on record came before.
-- A full server lets a script run whose first write is a removal.
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'told', '1')
