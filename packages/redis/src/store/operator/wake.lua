-- The end of every act: who waits for the key hears of it.
if awaited then
  redis.call('HDEL', KEYS[1], 'awaited')
  -- @include ../record/announce-end.lua
end
return {'done'}
