-- For every script about redrives. A redrive is a hash, under the key of all of them and its id:
--   kind, filter, rate, most (empty: no limit), matched, actor, note
--   state        'running', 'done' or 'cancelled'
--   redriven, refused
--   started_at, ended_at  milliseconds
--   started_us   when it was started, microseconds, or the place of the newest letter if that is
--                later, because the clock was put back: it takes nothing behind that
--   next_at      when the next portion is due, milliseconds
--   cursor       the place of the last letter that was looked at; empty: none
--   portions     how many portions have ended; listed  those of them that took something
--   plan         the portion that is being taken: JSON that scripts only keep. Whoever finds one
--                takes it, and takes nothing twice, because each letter names the portion
--   request      the name of its start
-- Beside it are what its portions took, by number from 1, and for all of them a sorted set of those
-- that are running by `next_at`, and a hash of the last id and of the ids by the names of their
-- starts.
local function redrive_key(id)
  return KEYS[1] .. ':' .. id
end

local function portions_key(id)
  return redrive_key(id) .. ':portions'
end

local running_key = KEYS[1] .. ':running'
