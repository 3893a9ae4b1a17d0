/**
 * Stores a batch: for each message the groups that match its topic, a copy in each group's stream, in the topic's history where it is kept, and to
 * live subscribers. Which groups match is looked up in a cache of topics that every change of a group empties, so the first message of a topic
 * reaches every group, whoever publishes it.
 *
 * Ids are remembered as fields of a few hashes, one for each quarter of the window: one command for a whole batch, where a key for each id costs as
 * much as storing the message. An old hash goes as a whole.
 *
 * This runs for every message, and inside Redis each command of a script costs more than its work (1.5 us, and 0.3 for each argument, measured on
 * 7.0.15), as does each function that is made. So settings are constants of the text, what is rare is made where it is needed, and whether
 * anybody listens is one question unless somebody does.
 *
 * ARGV: batch (of each message the number of its values, the fingerprint of its body, and names and values of its fields, of which the first are body,
 * id and topic), first send?, positions wanted?.
 * Returns 1 where all were accepted and nothing else is to tell, otherwise status and detail of each message in turn:
 * 0 accepted (position), 1 duplicate, 2 id reused, 3 group full (its name), 4 too many ids.
 */
import type { Settings } from "../options.ts";
import { matching } from "./matching.ts";
import { type Script, scriptOf } from "./script.ts";

/** Topics whose groups are remembered. Beyond it the cache starts anew. */
const routesMax = 10_000;
/** Hashes in which the ids of one window lie. */
const bucketsPerWindow = 4;

type PublishSettings = Pick<Settings, "names" | "dedupMs" | "dedupIdsMax" | "groupMessagesMax" | "history">;

export function publishScript({ names, dedupMs, dedupIdsMax, groupMessagesMax, history }: PublishSettings): Script {
  return scriptOf(`local p = KEYS[1]
local batch = cmsgpack.unpack(ARGV[1])
-- How far behind its beginning a message has them.
local ID, TOPIC = 5, 7
local isFirst = ARGV[2] == '1'
local isPlain = ARGV[3] ~= '1'
local WINDOW, BUCKET_MAX, LENGTH_MAX = ${dedupMs}, ${dedupIdsMax / bucketsPerWindow}, ${groupMessagesMax}
local HISTORY_MAX, HISTORY_AGE = ${history?.countMax ?? 0}, ${history?.maxAgeMs ?? 0}

local function findGroups(topic)
  ${matching}
  local registry, words, found = redis.call('HGETALL', p .. 'groups'), wordsOf(topic), {}
  for i = 1, #registry, 2 do
    for pattern in string.gmatch(registry[i + 1], '%S+') do
      if matches(pattern, topic, words) then
        found[#found + 1] = registry[i]
        break
      end
    end
  end
  local text = table.concat(found, ' ')
  if redis.call('HLEN', p .. 'routes') >= ${routesMax} then redis.call('UNLINK', p .. 'routes') end
  redis.call('HSET', p .. 'routes', topic, text)
  return text
end

-- Where each message begins. Its fields lie in the batch itself: a slice of it becomes the command, with no table or string in between.
local starts, topics, routes = {}, {}, {}
local at, size = 1, #batch
while at <= size do
  starts[#starts + 1] = at
  local topic = batch[at + TOPIC]
  if not routes[topic] then
    routes[topic] = {}
    topics[#topics + 1] = topic
  end
  at = at + 2 + batch[at]
end

local groups = {}
local cached = redis.call('HMGET', p .. 'routes', unpack(topics))
for i = 1, #topics do
  local route = routes[topics[i]]
  for name in string.gmatch(cached[i] or findGroups(topics[i]), '%S+') do
    local group = groups[name]
    if not group then
      local stream = p .. '${names.group}' .. name
      group = { name = name, stream = stream, length = redis.call('XLEN', stream) }
      groups[name] = group
    end
    route[#route + 1] = group
  end
end

-- Whoever listens to anything also listens to the channel without a topic.
local isHeard = redis.call('PUBSUB', 'NUMSUB', p .. '${names.live}')[2] > 0
if isHeard then
  local live = p .. '${names.live}'
  for topic, route in pairs(routes) do
    -- Who listens to this topic alone, to all topics that begin with its first word, and to all.
    local heard = redis.call('PUBSUB', 'NUMSUB', live .. topic, live .. string.match(topic, '^[^.]+') .. '.#', live .. '#')
    route.channels = {}
    for c = 1, #heard, 2 do if heard[c + 1] > 0 then route.channels[#route.channels + 1] = heard[c] end end
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket, remembers, known = nil, 0, {}
if WINDOW > 0 then
  bucket = math.floor(now / (WINDOW / ${bucketsPerWindow}))
  remembers = redis.call('HLEN', p .. 'ids:' .. bucket)
  if not isFirst then
    local asked = {}
    for i = 1, #starts do asked[i] = batch[starts[i] + TOPIC] .. ' ' .. batch[starts[i] + ID] end
    for back = 0, ${bucketsPerWindow} do
      local found = redis.call('HMGET', p .. 'ids:' .. bucket - back, unpack(asked))
      for i = 1, #asked do if found[i] then known[asked[i]] = found[i] end end
    end
  end
end

local lastMs, lastSeq, stored = 0, 0, {}
if HISTORY_MAX > 0 then
  local last = redis.call('GET', p .. 'last')
  if last then lastMs, lastSeq = string.match(last, '(%d+)-(%d+)') end
  lastMs, lastSeq = tonumber(lastMs), tonumber(lastSeq)
end

local fresh, remembered = {}, 0
local statuses, details, full = {}, {}, nil
for i = 1, #starts do
  local start = starts[i]
  local topic, print = batch[start + TOPIC], batch[start + 1]
  local from, to = start + 2, start + 1 + batch[start]
  local route = routes[topic]
  local status, field = 0, nil
  if WINDOW > 0 then field = topic .. ' ' .. batch[start + ID] end
  if not isFirst and known[field] then
    status = known[field] == print and 1 or 2
  elseif full then
    status = 3
  elseif WINDOW > 0 and remembers >= BUCKET_MAX then
    status = 4
  else
    for g = 1, #route do if route[g].length >= LENGTH_MAX then full = route[g].name end end
    if full then status = 3 end
  end
  if status == 0 then
    for g = 1, #route do
      local group = route[g]
      redis.call('XADD', group.stream, '*', unpack(batch, from, to))
      group.length = group.length + 1
    end
    if HISTORY_MAX > 0 then
      if now > lastMs then lastMs, lastSeq = now, 0 else lastSeq = lastSeq + 1 end
      details[i] = string.format('%.0f-%.0f', lastMs, lastSeq)
      redis.call('XADD', p .. '${names.topic}' .. topic, 'MAXLEN', '~', HISTORY_MAX, details[i], unpack(batch, from, to))
      stored[topic] = true
    end
    if isHeard and #route.channels > 0 then
      local copy = cmsgpack.pack({ unpack(batch, from, to) })
      for c = 1, #route.channels do redis.call('PUBLISH', route.channels[c], copy) end
    end
    if field then
      fresh[remembered + 1], fresh[remembered + 2] = field, print
      remembered = remembered + 2
      if not isFirst then known[field] = print end
    end
  else
    isPlain = false
    statuses[i] = status
    details[i] = full
  end
end

-- Remembered last: what was not stored must not count as seen.
if remembered > 0 then
  redis.call('HSET', p .. 'ids:' .. bucket, unpack(fresh))
  if remembers == 0 then redis.call('PEXPIRE', p .. 'ids:' .. bucket, WINDOW + 2 * math.floor(WINDOW / ${bucketsPerWindow})) end
end
if next(stored) then
  redis.call('SET', p .. 'last', string.format('%.0f-%.0f', lastMs, lastSeq))
  for topic in pairs(stored) do
    redis.call('SADD', p .. 'topics', topic)
    redis.call('XTRIM', p .. '${names.topic}' .. topic, 'MINID', '~', string.format('%.0f', now - HISTORY_AGE))
  end
end
if isPlain then return 1 end
local results = {}
for i = 1, #starts do
  results[i * 2 - 1] = statuses[i] or 0
  results[i * 2] = details[i] or ''
end
return results
`);
}
