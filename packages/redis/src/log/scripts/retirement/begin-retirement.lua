-- KEYS[1] the mark
-- KEYS[2] the relays of the consumer
-- KEYS[3] the record of what it wants
-- ARGV[1] what is to be done
-- ARGV[2] how long the mark is kept, milliseconds
-- Removed first: a full server lets a script run whose first write is a removal.
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'noted'
