-- Frees the lock if it is still held under this lease. The token stays.
-- KEYS: lock. ARGV: owner, execution, token.
local lock = redis.call('HMGET', KEYS[1], 'owner', 'execution_id', 'token')
if lock[1] == ARGV[1] and lock[2] == ARGV[2] and lock[3] == ARGV[3] then
  redis.call('HDEL', KEYS[1], 'owner', 'execution_id', 'since', 'expires_at')
end
return {'released'}
