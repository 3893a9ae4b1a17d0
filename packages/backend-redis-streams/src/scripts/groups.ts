/** Groups come, change and go. */
import type { Names } from "../keys.ts";
import { prelude, type Script, scriptOf } from "./script.ts";

/** How long the members of a removed group can learn that it was removed, and not lost. */
const tombstoneMs = 86_400_000;
/** A group that is being filled with history, and nobody goes on with it for so long, is removed. */
const fillIdleMs = 3_600_000;
/** Between two looks after what has no owner. */
const sweepMs = 250;

/**
 * Makes a group where it is missing, adds and drops patterns, and makes its stream and consumer group again where somebody deleted them.
 * The consumer group begins at 0: what was published between a deletion and now is handed over.
 *
 * ARGV: group, generation for a new one, patterns to add, patterns to drop (with spaces between), epoch that the caller knows (empty: none), idle
 * expiry (empty: no change), where a new group starts in the history: `new`, or milliseconds since 1970.
 * Returns the epoch and 1 where something had to be made again, or `removed`, or `filling`: the group begins in the past, and is there when `fill` has
 * copied what it begins with.
 */
export const defineScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}
local group, generation, epochKnown = ARGV[1], ARGV[2], ARGV[5]
-- A harmless write first: members must be able to come back although memory is full.
redis.call('HDEL', p .. 'idle', '')
local patterns = redis.call('HGET', p .. 'groups', group)
local epoch = redis.call('HGET', p .. 'epochs', group)
if epochKnown ~= '' and epochKnown ~= epoch then
  local tombstone = redis.call('GET', p .. 'removed:' .. group)
  if tombstone and string.sub(epochKnown, 1, #tombstone + 1) == tombstone .. ':' then return { 'removed', 0 } end
end
local filling = not patterns and redis.call('HGET', p .. 'fills', group)
local known = patterns or filling and string.match(filling, '^%d+ %d+ %d+ ?(.*)$') or ''
local list, kept, dropped, isChanged = {}, {}, {}, not patterns
for pattern in string.gmatch(ARGV[4], '%S+') do dropped[pattern] = true end
for pattern in string.gmatch(known, '%S+') do
  if dropped[pattern] then
    isChanged = true
  else
    list[#list + 1] = pattern
    kept[pattern] = true
  end
end
for pattern in string.gmatch(ARGV[3], '%S+') do
  if not kept[pattern] then
    isChanged = true
    list[#list + 1] = pattern
    kept[pattern] = true
  end
end
if not patterns and (filling or ARGV[7] ~= 'new') then
  local nowText = string.format('%.0f', now)
  local cursor, askedMs = string.match(filling or ARGV[7] .. ' ' .. nowText, '^(%d+) (%d+)')
  redis.call('HSET', p .. 'fills', group, table.concat({ cursor, askedMs, nowText, table.concat(list, ' ') }, ' '))
  return { 'filling', 0 }
end
local stream = streamOf(group)
local made = redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
local isMade = made.ok ~= nil
if not isMade and not string.find(made.err, 'BUSYGROUP') then return redis.error_reply(made.err) end
local isLost = isMade and patterns ~= false or epochKnown ~= '' and not epoch
if not epoch or isMade then
  epoch = generation .. ':0'
  redis.call('HSET', p .. 'epochs', group, epoch)
end
if isChanged then
  redis.call('HSET', p .. 'groups', group, table.concat(list, ' '))
  redis.call('UNLINK', p .. 'routes')
end
if ARGV[6] ~= '' then redis.call('HSET', p .. 'idle', group, ARGV[6] .. ' ' .. string.format('%.0f', now)) end
return { epoch, isLost and 1 or 0 }
`);

const removal = `local function remove(group)
  local epoch = redis.call('HGET', p .. 'epochs', group)
  if epoch then redis.call('SET', p .. 'removed:' .. group, string.match(epoch, '^(.*):'), 'PX', ${tombstoneMs}) end
  -- Destroyed before it is deleted: this wakes members that wait in a blocked read.
  redis.pcall('XGROUP', 'DESTROY', streamOf(group), GROUP)
  redis.call('UNLINK', streamOf(group), delayedOf(group), p .. 'exclusive:' .. group)
  for _, key in ipairs({ 'groups', 'epochs', 'idle', 'turns', 'fills' }) do redis.call('HDEL', p .. key, group) end
  redis.call('ZREM', p .. 'due', group)
  redis.call('UNLINK', p .. 'routes')
  redis.call('PUBLISH', p .. 'bell', group)
end
`;

/** ARGV: group. Its dead letters stay. */
export const removeScript = (names: Names): Script => scriptOf(`${prelude(names)}${removal}remove(ARGV[1])\nreturn 1\n`);

/**
 * Says that a session's members are there, and looks after what has no owner: groups whose last member left too long ago, hashes of ids that are past,
 * old history. ARGV: consumer, how long this holds, dedup window, history's age at most (0: none), then group and members in turn. Returns 1.
 */
export const heartbeatScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}${removal}
local me, untilMs, window, historyAge = ARGV[1], string.format('%.0f', now + tonumber(ARGV[2])), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('HDEL', p .. 'members', '')
for i = 5, #ARGV, 2 do redis.call('HSET', p .. 'members', ARGV[i] .. ' ' .. me, ARGV[i + 1] .. ' ' .. untilMs) end
-- One session looks after the rest for all.
if not redis.call('SET', p .. 'swept', '1', 'NX', 'PX', ${sweepMs}) then return 1 end
local present = {}
local all = redis.call('HGETALL', p .. 'members')
for i = 1, #all, 2 do
  local group = string.match(all[i], '^%S+')
  if tonumber(string.match(all[i + 1], '%d+$')) < now or redis.call('HEXISTS', p .. 'groups', group) == 0 then
    redis.call('HDEL', p .. 'members', all[i])
  else
    present[group] = true
  end
end
local idle = redis.call('HGETALL', p .. 'idle')
for i = 1, #idle, 2 do
  local group = idle[i]
  local afterMs, seenMs = string.match(idle[i + 1], '(%d+) (%d+)')
  if present[group] then
    redis.call('HSET', p .. 'idle', group, afterMs .. ' ' .. string.format('%.0f', now))
  elseif now - tonumber(seenMs) > tonumber(afterMs) then
    remove(group)
  end
end
-- Whoever filled these has died, and nobody has asked for them since.
local fills = redis.call('HGETALL', p .. 'fills')
for i = 1, #fills, 2 do
  if now - tonumber(string.match(fills[i + 1], '^%d+ %d+ (%d+)')) > ${fillIdleMs} then remove(fills[i]) end
end
if window > 0 then
  -- Freed by the server's background thread: a hash of a million fields that expires by itself holds up everything.
  local bucket = math.floor(now / math.floor(window / 4))
  for back = 6, 9 do redis.call('UNLINK', string.format('%sids:%.0f', p, bucket - back)) end
end
if historyAge > 0 then
  -- Topics that nobody publishes to any more. A few at a time: over time it is the turn of each.
  for _, topic in ipairs(redis.call('SRANDMEMBER', p .. 'topics', 20)) do
    redis.call('XTRIM', topicOf(topic), 'MINID', string.format('%.0f', now - historyAge))
    if redis.call('XLEN', topicOf(topic)) == 0 then
      redis.call('UNLINK', topicOf(topic))
      redis.call('SREM', p .. 'topics', topic)
    end
  end
end
return 1
`);

/**
 * Removes what waits for its first delivery, and what was given back. Not what is in flight or delayed. ARGV: group, at most.
 * Returns how many; fewer than `at most`: there are no more.
 */
export const purgeScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}
local group, most = ARGV[1], tonumber(ARGV[2])
local stream = streamOf(group)
local infos = redis.pcall('XINFO', 'GROUPS', stream)
if infos.err or #infos == 0 then return 0 end
local gone = {}
for _, row in ipairs(redis.call('XPENDING', stream, GROUP, '-', '+', most, 'parked')) do gone[#gone + 1] = row[1] end
if #gone > 0 then redis.call('XACK', stream, GROUP, unpack(gone)) end
local last = '0-0'
for _, info in ipairs(infos) do
  local map = {}
  for i = 1, #info, 2 do map[info[i]] = info[i + 1] end
  if map['name'] == GROUP then last = map['last-delivered-id'] end
end
if #gone < most then
  for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', most - #gone)) do gone[#gone + 1] = entry[1] end
end
if #gone > 0 then redis.call('XDEL', stream, unpack(gone)) end
return #gone
`);

/**
 * ARGV: one group, or none for all. Returns for each name, patterns, waiting, delayed, in flight, members in turn.
 */
export const inspectScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}
local list = {}
if ARGV[1] then
  local patterns = redis.call('HGET', p .. 'groups', ARGV[1])
  if patterns then list = { ARGV[1], patterns } end
else
  list = redis.call('HGETALL', p .. 'groups')
end
local members = {}
local all = redis.call('HGETALL', p .. 'members')
for i = 1, #all, 2 do
  local group = string.match(all[i], '^%S+')
  local count, untilMs = string.match(all[i + 1], '(%d+) (%d+)')
  if tonumber(untilMs) >= now then members[group] = (members[group] or 0) + tonumber(count) end
end
local infos = {}
for i = 1, #list, 2 do
  local group = list[i]
  local stream = streamOf(group)
  local summary = redis.pcall('XPENDING', stream, GROUP)
  local pending, parked = 0, 0
  if not summary.err then
    pending = summary[1]
    for _, row in ipairs(summary[4] or {}) do if row[1] == 'parked' then parked = tonumber(row[2]) end end
  end
  infos[#infos + 1] = {
    group, list[i + 1],
    math.max(0, redis.call('XLEN', stream) - pending + parked),
    redis.call('ZCARD', delayedOf(group)),
    pending - parked,
    members[group] or 0,
  }
end
return infos
`);
