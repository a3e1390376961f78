-- @use RECORD_VERSION from ../record/record-version.ts
-- @use RELEASE_REMEMBERED_MS from ../scripts/release.ts
-- Forgets what is on record, but for the hour in which the attempt that made it may come late.
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free')
redis.call('PEXPIRE', KEYS[1], '${RELEASE_REMEMBERED_MS}')
