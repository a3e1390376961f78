-- After `key-state.lua`, in every script of an act. A client that lost a connection may have sent
-- the act again: what its first copy did is not undone by the state that it left.
if last_act == ARGV[6] then
  -- @include ../record/tell.lua
  return {'done'}
end
