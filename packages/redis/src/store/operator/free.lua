-- @use RECORD_VERSION from ../record/record-version.ts
-- @use RELEASE_REMEMBERED_MS from ../scripts/release.ts
-- Deletes the record and leaves a mark, as a release does, with the name of the act (ARGV[6]). It
-- stays for an hour, in which the attempt that made the record may still try to complete.
if token and token ~= '' then
  local ended = token
  -- @include ../record/past.lua
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free', 'act', ARGV[6],
  'past', past or '\n')
redis.call('PEXPIRE', KEYS[1], '${RELEASE_REMEMBERED_MS}')
