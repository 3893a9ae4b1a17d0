/**
 * Copies history into a new group that starts in the past, page by page, so that no call holds up the server for long. Until the last page such a group
 * stands in `fills` and not in `groups`: what is published meanwhile goes to the history only, and is copied from there in its turn. The page that
 * reaches the present makes the group, in the same step; from then on publishers know it. So everything comes once and in order, whoever copies, and
 * also after whoever began it has died.
 *
 * A page is a span of time over all topics, halved until what it holds is within bounds. Not so many entries of each topic: of a busy topic that would
 * be a moment, of a quiet one a day, and all of the rest would be read again with every page.
 *
 * ARGV: group, generation, span in milliseconds, entries of a page at most, entries of the group at most.
 * Returns `done`, `gone` (nothing is to be filled), `full` (the group cannot hold it; what was copied is removed again), or `more`, the span for the next
 * page, and 1 where the page reached what was published since the group was asked for.
 */
import type { Names } from "../keys.ts";
import { matching } from "./matching.ts";
import { prelude, type Script, scriptOf } from "./script.ts";

/** Of bodies, in one page. */
const bytesMax = 4 * 1024 * 1024;
/** Read at once: bodies may be large. */
const sliceMax = 100;

export const fillScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}${matching}
local group, generation, span, most, lengthMax = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local record = redis.call('HGET', p .. 'fills', group)
if not record then return { 'gone' } end
local cursor, askedMs, patterns = string.match(record, '^(%d+) (%d+) %d+ ?(.*)$')
local stream = streamOf(group)
local function text(number) return string.format('%.0f', number) end

-- Topics that have something left, and where the first of it lies.
local topics, from = {}, nil
for _, topic in ipairs(redis.call('SMEMBERS', p .. 'topics')) do
  local words, isWanted = wordsOf(topic), false
  for pattern in string.gmatch(patterns, '%S+') do isWanted = isWanted or matches(pattern, topic, words) end
  local head = isWanted and redis.call('XRANGE', topicOf(topic), cursor, '+', 'COUNT', 1)[1]
  if head then
    local ms = tonumber(string.match(head[1], '^%d+'))
    topics[#topics + 1] = { topicOf(topic), ms }
    from = math.min(from or ms, ms)
  end
end

-- Looking at the topics costs as much as copying so many entries: never more looking than copying.
most = math.max(most, #topics)

-- Where the clock was set back, what comes is still stored behind what was there.
local last = redis.call('GET', p .. 'last')
local presentMs = math.max(now, last and tonumber(string.match(last, '^%d+')) or 0)
if not from then from, span = presentMs, 1 end

local found, bytes
-- Reads a page. Says whether it is within bounds.
local function read()
  found, bytes = {}, 0
  for _, topic in ipairs(topics) do
    local start = text(from)
    while topic[2] < from + span do
      local entries = redis.call('XRANGE', topic[1], start, text(from + span - 1), 'COUNT', ${sliceMax})
      for _, entry in ipairs(entries) do
        local ms, number = string.match(entry[1], '(%d+)-(%d+)')
        found[#found + 1] = { tonumber(ms), tonumber(number), entry[2] }
        bytes = bytes + #entry[2][2]
      end
      if span > 1 and (#found > most or bytes > ${bytesMax}) then return false end
      if #entries < ${sliceMax} then break end
      start = '(' .. entries[#entries][1]
    end
  end
  return true
end
while not read() do span = math.max(1, math.floor(span / 2)) end

if redis.call('XLEN', stream) + #found > lengthMax then
  redis.call('UNLINK', stream)
  redis.call('HDEL', p .. 'fills', group)
  return { 'full' }
end
table.sort(found, function(a, b) if a[1] == b[1] then return a[2] < b[2] end return a[1] < b[1] end)
for _, entry in ipairs(found) do redis.call('XADD', stream, '*', unpack(entry[3])) end
local nextMs = from + span
if nextMs > presentMs then
  local made = redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP') then return redis.error_reply(made.err) end
  redis.call('HSET', p .. 'epochs', group, generation .. ':0')
  redis.call('HSET', p .. 'groups', group, patterns)
  redis.call('UNLINK', p .. 'routes')
  redis.call('HDEL', p .. 'fills', group)
  return { 'done' }
end
redis.call('HSET', p .. 'fills', group, text(nextMs) .. ' ' .. askedMs .. ' ' .. text(now) .. ' ' .. patterns)
if #found < most / 2 and bytes < ${bytesMax / 2} then span = math.min(span * 2, ${2 ** 40}) end
return { 'more', span, nextMs > tonumber(askedMs) and 1 or 0 }
`);
