-- Takes the lock if it is free, its lease has expired, or it is ours; else says who has it, and writes nothing.
-- KEYS: lock. ARGV: owner, execution, lease in microseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local lock = redis.call('HMGET', KEYS[1], 'owner', 'execution_id', 'token', 'since', 'expires_at')
local ours = lock[1] == ARGV[1] and lock[2] == ARGV[2]
if lock[1] and not ours and tonumber(lock[5]) > now then
  return {'held', lock, now}
end
local expires = string.format('%.0f', now + tonumber(ARGV[3]))
if ours then
  redis.call('HSET', KEYS[1], 'expires_at', expires)
  return {'acquired', lock[3]}
end
-- The token stays when the lock is given back, so that it only rises.
local token = string.format('%.0f', tonumber(lock[3] or '0') + 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'execution_id', ARGV[2], 'token', token,
  'since', string.format('%.0f', now), 'expires_at', expires)
return {'acquired', token}
