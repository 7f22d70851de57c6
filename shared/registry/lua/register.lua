-- register.lua: one tab becomes reachable and learns what it missed, in one step,
-- so that no outcome falls between "not yet listed" and "already asked".
--
-- KEYS  1 conns  2 seq  3 events  4 ids      all in the customer's slot
-- ARGV  1 the connection (replica|id)        2 when it expires, Unix ms
--       3 most connections per customer      4 grace after the last expiry, ms
--       5 the tab's epoch, "" for none       6 the tab's number
--       7 the epoch to begin, if none has    8 time to live of seq, ms
--       9 length of the event list
-- Reply { epoch, number, resync (0 or 1), { event }, { evicted connection } }

local member, expires, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Connections. A connection that registers again keeps its age.
local since = string.format('%d%06d', tonumber(time[1]), tonumber(time[2]))
local others, latest = {}, expires
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local ends, began = string.match(flat[i + 1], '^(%d+) (%d+)$')
  if flat[i] == member then
    since = began
  elseif tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], flat[i])
  else
    others[#others + 1] = { member = flat[i], since = tonumber(began) }
    latest = math.max(latest, tonumber(ends))
  end
end
table.sort(others, function(a, b)
  if a.since ~= b.since then return a.since < b.since end
  return a.member < b.member
end)
local evicted = {}
for i = 1, #others + 1 - most do
  evicted[i] = others[i].member
  redis.call('HDEL', KEYS[1], others[i].member)
end
redis.call('HSET', KEYS[1], member, string.format('%d %s', expires, since))
redis.call('PEXPIREAT', KEYS[1], string.format('%d', latest + ARGV[4]))

-- The head. It begins here and not only with the first outcome, so that a tab
-- which goes away before that can still say where it stood.
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch then
  epoch = ARGV[7]
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'number', 0)
  redis.call('DEL', KEYS[3], KEYS[4]) -- second: after a DEL, Redis lets a script go over maxmemory
end
redis.call('PEXPIRE', KEYS[2], ARGV[8])
local number = tonumber(redis.call('HGET', KEYS[2], 'number'))

-- What was missed: all of it, or nothing and the advice to ask for the status.
local resync, missed = 0, {}
if ARGV[5] ~= '' then
  local behind = number - tonumber(ARGV[6])
  if ARGV[5] ~= epoch or behind < 0 or behind > tonumber(ARGV[9]) then
    resync = 1
  elseif behind > 0 then
    missed = redis.call('LRANGE', KEYS[3], string.format('%d', -behind), -1)
    if #missed < behind then
      resync, missed = 1, {}
    end
  end
end
return { epoch, number, resync, missed, evicted }
