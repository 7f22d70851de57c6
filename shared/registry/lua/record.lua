-- record.lua: outcomes get their numbers, and the caller learns in the same step
-- which connections to push them to.
--
-- KEYS  1 conns  2 seq  3 events  4 ids  5 pending   all in the customer's slot
-- ARGV  1 the epoch to begin, if none has   2 time to live of seq, events, ids, ms
--       3 length of the event list
--       then for each event: its id, its CorrelationId, its body
-- Reply { epoch, { number }, { live connection } }

local keep = tonumber(ARGV[3])
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'number', 0)
  redis.call('DEL', KEYS[3], KEYS[4]) -- second: after a DEL, Redis lets a script go over maxmemory
end
local number = tonumber(redis.call('HGET', KEYS[2], 'number'))

local numbers = {}
for i = 4, #ARGV, 3 do
  local id, correlation, body = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local first = redis.call('ZSCORE', KEYS[4], id)
  if not first then
    number = number + 1
    first = string.format('%d', number)
    redis.call('RPUSH', KEYS[3], first .. ' ' .. body)
    redis.call('ZADD', KEYS[4], first, id, first, correlation)
  end
  numbers[#numbers + 1] = tonumber(first)
  redis.call('ZREM', KEYS[5], correlation)
end
redis.call('HSET', KEYS[2], 'number', string.format('%d', number))
redis.call('LTRIM', KEYS[3], -keep, -1)
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%d', number - keep))
for i = 2, 4 do
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local live = {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  if tonumber(string.match(flat[i + 1], '^%d+')) > now then
    live[#live + 1] = flat[i]
  end
end
return { epoch, numbers, live }
