-- KEYS[1]   the audit of a partition
-- ARGV[1]   where to start, going down: '+', an id, or '(' and an id
-- ARGV[2]   where to end: '-' or an id
-- ARGV[3]   how many entries at most
return redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
