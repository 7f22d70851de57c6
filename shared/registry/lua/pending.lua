-- pending.lua: an accepted order waits for its outcome, unless that is recorded
-- already: the entry is written after the send, and a fast worker can win.
--
-- KEYS  1 ids  2 pending                     both in the customer's slot
-- ARGV  1 CorrelationId                      2 when it was accepted, Unix ms
--       3 time to live, ms                   4 most entries
-- Reply 1 when the order is pending, 0 when it is decided

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[3]
redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%d', oldest))
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
