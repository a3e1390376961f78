-- The end of every act: tells the processes that wait for the key.
if awaited then
  redis.call('HDEL', KEYS[1], 'awaited')
  -- @include ../record/announce-end.lua
end
return {'done'}
