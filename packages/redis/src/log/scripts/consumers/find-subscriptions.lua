-- @include ../clock.lua
-- KEYS[1] the record
return {redis.call('GET', KEYS[1]) or '', digits(now)}
