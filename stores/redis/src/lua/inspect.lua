-- Who holds the lock, and the time.
-- KEYS: lock.
local time = redis.call('TIME')
local lock = redis.call('HMGET', KEYS[1], 'owner', 'execution_id', 'token', 'since', 'expires_at')
return {'seen', lock, tonumber(time[1]) * 1000000 + tonumber(time[2])}
