-- KEYS[1]   the audit of a partition
-- ARGV[1]   from this entry downwards: '+', an id, or an id behind '('
-- ARGV[2]   to this entry: '-' or an id
-- ARGV[3]   how many at most
return redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
