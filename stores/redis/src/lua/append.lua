-- Appends entries and changes the head, where the office stands and the sequence is the expected one.
-- KEYS: head, log, latest. ARGV: token, execution, expected sequence, what is wrong with the entries or '',
-- format, sequence, hash, digests, verdict; then for each entry its sequence, its change and itself.
local head = redis.call('HMGET', KEYS[1], 'token', 'execution_id', 'sequence')
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] or head[3] ~= ARGV[3] then
  return {'lost', head[1], head[2], head[3]}
end
if ARGV[4] ~= '' then
  return {'misplaced'}
end

-- A script that fails half-way is not rolled back: whatever can fail, fails before the first write.
local top = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local last = top and top[1] or '0-0'
if last ~= ARGV[3] .. '-0' then
  return {'log', last}
end
redis.call('HLEN', KEYS[3])
if redis.acl_check_cmd then
  local writes = {
    {'XADD', KEYS[2], '1-0', 'f', 'v'}, {'HSET', KEYS[3], 'f', 'v'}, {'HSET', KEYS[1], 'f', 'v'}
  }
  for _, write in ipairs(writes) do
    if not redis.acl_check_cmd(unpack(write)) then
      return redis.error_reply('NOPERM this user may not ' .. write[1] .. ' ' .. write[2])
    end
  end
end

for at = 10, #ARGV, 3 do
  local sequence, change = ARGV[at], ARGV[at + 1]
  redis.call('XADD', KEYS[2], sequence .. '-0', 'entry', ARGV[at + 2])
  if change ~= '' then
    redis.call('HSET', KEYS[3], change, sequence)
  end
end
redis.call('HSET', KEYS[1], 'format', ARGV[5], 'sequence', ARGV[6], 'hash', ARGV[7], 'digests', ARGV[8],
  'verdict', ARGV[9])
return {'appended'}
