-- @use ENDED_CHANNEL from endings.ts
-- @use ID_IN_RECORD_KEY from record-keys.ts
-- Tells the processes that wait for the attempt that it has ended.
redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
