-- Puts a run in office, unless the head is one that this release cannot read.
-- KEYS: head. ARGV: token of the lease, execution, owner, format, the hash before the first entry.
local function read()
  return redis.call('HMGET', KEYS[1], 'format', 'token', 'owner', 'execution_id', 'sequence', 'hash',
    'digests', 'verdict')
end
local head = read()
local token = 0
if head[1] then
  token = tonumber(head[2])
  if not token or (tonumber(head[1]) or math.huge) > tonumber(ARGV[4]) then
    return {'unreadable', head}
  end
elseif redis.call('EXISTS', KEYS[1]) == 1 then
  return {'unreadable', head}
else
  redis.call('HSET', KEYS[1], 'format', ARGV[4], 'sequence', '0', 'hash', ARGV[5], 'digests', '[]',
    'verdict', '')
end
token = math.max(token, tonumber(ARGV[1])) + 1
redis.call('HSET', KEYS[1], 'token', string.format('%.0f', token), 'owner', ARGV[3],
  'execution_id', ARGV[2])
return {'taken', read()}
