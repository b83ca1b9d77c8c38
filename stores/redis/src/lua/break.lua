-- Frees the lock whoever holds it, and puts the run in office out of it. The token stays.
-- KEYS: lock; and the head, where the audit is kept here as well.
local time = redis.call('TIME')
local lock = redis.call('HMGET', KEYS[1], 'owner', 'execution_id', 'token', 'since', 'expires_at')
if KEYS[2] then
  local token = redis.call('HGET', KEYS[2], 'token')
  if token then
    token = math.max(tonumber(token), tonumber(lock[3] or '0')) + 1
    redis.call('HSET', KEYS[2], 'token', string.format('%.0f', token))
  end
end
redis.call('HDEL', KEYS[1], 'owner', 'execution_id', 'since', 'expires_at')
return {'seen', lock, tonumber(time[1]) * 1000000 + tonumber(time[2])}
