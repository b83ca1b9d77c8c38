-- Starts the lease anew if the lock is still held under it.
-- KEYS: lock. ARGV: owner, execution, token, lease in microseconds.
local lock = redis.call('HMGET', KEYS[1], 'owner', 'execution_id', 'token')
if lock[1] ~= ARGV[1] or lock[2] ~= ARGV[2] or lock[3] ~= ARGV[3] then
  return {'lost', lock[1]}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('HSET', KEYS[1], 'expires_at', string.format('%.0f', now + tonumber(ARGV[4])))
return {'extended'}
