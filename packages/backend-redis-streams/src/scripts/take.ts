/**
 * Hands over again what is pending already: what members gave back (it belongs to the consumer `parked`), and what somebody has held longer than the
 * lease. The second kind is taken by force, so the group's epoch changes, and from then on every settlement is looked at.
 *
 * `XPENDING` and `XCLAIM` instead of `XAUTOCLAIM`: that one does not say how often an entry was delivered.
 *
 * ARGV: group, consumer, at most, lease (-1: only what is parked), and of whom all is taken: of the one that had the turn before, where the turn among
 * exclusive members is new.
 * Returns the epoch, how many were lost because somebody had deleted the entry, then id, deliveries and fields of each entry in turn.
 */
import type { Names } from "../keys.ts";
import { parkedName, prelude, type Script, scriptOf } from "./script.ts";

const raising = `local function raise(group)
  local generation, count = string.match(redis.call('HGET', p .. 'epochs', group) or '', '^(.*):(%d+)$')
  if generation then redis.call('HSET', p .. 'epochs', group, string.format('%s:%.0f', generation, tonumber(count) + 1)) end
end
`;

export const takeScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}${raising}
local group, me, most, lease, former = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local stream = streamOf(group)
local taken, isForced, gone = {}, false, 0

local function take(rows)
  for _, row in ipairs(rows) do
    if #taken >= most * 3 then return end
    local entry = redis.call('XCLAIM', stream, GROUP, me, 0, row[1])[1]
    if entry and entry[2] then
      taken[#taken + 1] = row[1]
      taken[#taken + 1] = row[4] + 1
      taken[#taken + 1] = entry[2]
      if row[2] ~= '${parkedName}' and row[2] ~= me then isForced = true end
    else
      -- Trimmed or deleted behind our back: nothing to hand over, and 6.2 would list it for ever.
      redis.call('XACK', stream, GROUP, row[1])
      gone = gone + 1
    end
  end
end

local parked = redis.pcall('XPENDING', stream, GROUP, '-', '+', most, '${parkedName}')
if parked.err then return { false } end
take(parked)
if former ~= '' and former ~= me and #taken < most * 3 then take(redis.call('XPENDING', stream, GROUP, '-', '+', most, former)) end
if lease >= 0 and #taken < most * 3 then
  local rows, others = redis.call('XPENDING', stream, GROUP, 'IDLE', lease, '-', '+', most + #taken / 3), {}
  for _, row in ipairs(rows) do
    -- What we hold ourselves and did not extend goes to somebody else first, if there is anybody.
    if row[2] ~= me or row[3] >= 2 * lease then others[#others + 1] = row end
  end
  take(others)
end
if isForced then raise(group) end
table.insert(taken, 1, redis.call('HGET', p .. 'epochs', group))
table.insert(taken, 2, gone)
return taken
`);

/**
 * A consumer leaves: what it holds is given back, and its name goes. Its name only goes when nothing is pending under it, since Redis would forget
 * that with the name. For members that closed (`own`), and by the next session of a process for the one that broke (`forced`: late settlements of that
 * one are still on their way, perhaps, so the epoch changes). ARGV: consumer, `own` or `forced`, groups. Returns how many groups hold more than one
 * call gives back, then group and number in turn where entries were lost because somebody had deleted them.
 */
export const leaveScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}${raising}
local me, isForced = ARGV[1], ARGV[2] == 'forced'
local rest, lost = 0, {}
for i = 3, #ARGV do
  local group = ARGV[i]
  local stream = streamOf(group)
  local rows = redis.pcall('XPENDING', stream, GROUP, '-', '+', 1000, me)
  redis.call('HDEL', p .. 'members', group .. ' ' .. me)
  if not rows.err then
    local gone = 0
    for _, row in ipairs(rows) do
      if #redis.call('XCLAIM', stream, GROUP, '${parkedName}', 0, row[1], 'JUSTID') == 0 then gone = gone + 1 end
    end
    if gone > 0 then
      lost[#lost + 1] = group
      lost[#lost + 1] = gone
    end
    if isForced and #rows > 0 then raise(group) end
    if #rows < 1000 then
      local left = redis.call('XPENDING', stream, GROUP, '-', '+', 1, me)
      if #left == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, me) end
    else
      rest = rest + 1
    end
    if redis.call('GET', p .. 'exclusive:' .. group) == me then redis.call('DEL', p .. 'exclusive:' .. group) end
    redis.call('PUBLISH', p .. 'bell', group)
  end
end
table.insert(lost, 1, rest)
return lost
`);
