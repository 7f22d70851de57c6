-- claim.lua: the first payload under a CorrelationId stays, and every later caller
-- is told which one that is. (SET with NX and GET together needs Redis 7.)
--
-- KEYS  1 corr
-- ARGV  1 the payload's fingerprint          2 time to live, ms
-- Reply the fingerprint that holds the CorrelationId

if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return ARGV[1]
end
return redis.call('GET', KEYS[1])
