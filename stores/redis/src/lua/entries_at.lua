-- The entries with these sequences; nothing in the place of one that is not there.
-- KEYS: log. ARGV: sequences.
local entries = {}
for place, sequence in ipairs(ARGV) do
  local id = sequence .. '-0'
  entries[place] = redis.call('XRANGE', KEYS[1], id, id)[1] or false
end
return entries
