/**
 * Ends deliveries. `ack` is the way of nearly all: where nothing was ever taken from a member by force since the caller fetched (the group's epoch is
 * the same), what it holds is its own, and two commands settle the whole batch. Otherwise, and for all but acks, `settle` looks at each.
 *
 * Redis itself lets anybody acknowledge anything, so these looks are what keeps an old owner from settling what another has.
 */
import type { Names } from "../keys.ts";
import { inParts, parkedName, prelude, type Script, scriptOf, valuesMax } from "./script.ts";

/** ARGV: group, epoch, ids. Returns 1, or 0 where nothing was done: the epoch is another, or the stream is gone. */
export const ackScript = (names: Names): Script =>
  scriptOf(`local p = KEYS[1]
local group = ARGV[1]
if redis.call('HGET', p .. 'epochs', group) ~= ARGV[2] then return 0 end
local stream = p .. '${names.group}' .. group
local acked = 0
for from = 3, #ARGV, ${valuesMax} do
  acked = acked + redis.call('XACK', stream, '${names.consumerGroup}', unpack(ARGV, from, math.min(#ARGV, from + ${valuesMax - 1})))
end
if acked == 0 then return 0 end
for from = 3, #ARGV, ${valuesMax} do redis.call('XDEL', stream, unpack(ARGV, from, math.min(#ARGV, from + ${valuesMax - 1}))) end
return 1
`);

/**
 * ARGV: group, consumer, list (id, kind, a, b). Kinds: `ack` · `release` · `untouched` (given back without having been handed on: this hand-over does
 * not count) · `inbox` (a: fields, b: delay) · `dead` (a: fields).
 * Returns a number each: 0 done, 1 stale, and for a move that could not be stored the error's text; then how many were lost, because somebody had
 * deleted the entry, and the group's epoch.
 */
export const settleScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}${inParts}
local group, me = ARGV[1], ARGV[2]
local list = cmsgpack.unpack(ARGV[3])
local stream = streamOf(group)
local statuses, over, released, gone = {}, {}, false, 0
for i = 1, #list, 4 do
  local id, kind, status = list[i], list[i + 1], 1
  local row = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
  if not row.err and row[1] and row[1][2] == me then
    status = 0
    -- Resets the idle time, and is the harmless write that lets moves be stored although memory is full.
    -- Where somebody deleted the entry, Redis 7 forgets here that it was pending and says nothing; 6.2 does so when it is taken again.
    local isGone = #redis.call('XCLAIM', stream, GROUP, me, 0, id, 'JUSTID') == 0
    if isGone and (kind == 'release' or kind == 'untouched') then
      gone = gone + 1
    elseif kind == 'release' then
      redis.call('XCLAIM', stream, GROUP, '${parkedName}', 0, id, 'JUSTID')
      released = true
    elseif kind == 'untouched' then
      redis.call('XCLAIM', stream, GROUP, '${parkedName}', 0, id, 'RETRYCOUNT', math.max(0, row[1][4] - 1), 'JUSTID')
      released = true
    elseif kind == 'dead' then
      local stored = redis.pcall('XADD', deadOf(group), '*', unpack(cmsgpack.unpack(list[i + 2])))
      if stored.err then status = stored.err end
    elseif kind == 'inbox' and tonumber(list[i + 3]) > 0 then
      -- Rounded up: never early.
      local due = time[1] * 1000 + math.ceil(time[2] / 1000) + tonumber(list[i + 3])
      local stored = redis.pcall('ZADD', delayedOf(group), due, id .. ' ' .. list[i + 2])
      if type(stored) == 'table' and stored.err then status = stored.err else redis.call('ZADD', p .. 'due', 'LT', due, group) end
    elseif kind == 'inbox' then
      local stored = redis.pcall('XADD', stream, '*', unpack(cmsgpack.unpack(list[i + 2])))
      if stored.err then status = stored.err end
    end
    if isGone and status ~= 0 then gone, status = gone + 1, 1 end
    if status == 0 and kind ~= 'release' and kind ~= 'untouched' then over[#over + 1] = id end
  end
  statuses[#statuses + 1] = status
end
inParts(over, function(...)
  redis.call('XACK', stream, GROUP, ...)
  redis.call('XDEL', stream, ...)
end)
if released then redis.call('PUBLISH', p .. 'bell', group) end
statuses[#statuses + 1] = gone
statuses[#statuses + 1] = redis.call('HGET', p .. 'epochs', group)
return statuses
`);

/** Restarts leases. ARGV: group, consumer, ids. Returns how many entries somebody deleted, and the ids that are no longer the caller's, these included. */
export const extendScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}
local stream, me = streamOf(ARGV[1]), ARGV[2]
local lost, gone = { 0 }, 0
for i = 3, #ARGV do
  local id = ARGV[i]
  local row = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
  local isMine = not row.err and row[1] and row[1][2] == me
  local isGone = isMine and #redis.call('XCLAIM', stream, GROUP, me, 0, id, 'JUSTID') == 0
  if isGone then gone = gone + 1 end
  if isGone or not isMine then lost[#lost + 1] = id end
end
lost[1] = gone
return lost
`);
