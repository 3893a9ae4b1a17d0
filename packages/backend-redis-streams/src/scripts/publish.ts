/**
 * Stores a batch: for each message the groups that match its topic, a copy in each group's stream, in the topic's history where it is kept, and to
 * live subscribers. Which groups match is looked up in a cache of topics that every change of a group empties, so the first message of a topic
 * reaches every group, whoever publishes it.
 *
 * Ids are remembered as fields of a few hashes, one for each quarter of the window: one command for a whole batch, where a key for each id costs as
 * much as storing the message. An old hash goes as a whole.
 *
 * ARGV: batch (of each message the number of its values, the fingerprint of its body, and names and values of its fields, of which the first are body,
 * id and topic), first send?, dedup window, ids at most, group's messages at most, positions wanted?, history's messages of a topic at most (0: none),
 * history's age at most.
 * Returns 1 where all were accepted and nothing else is to tell, otherwise status and detail of each message in turn:
 * 0 accepted (position), 1 duplicate, 2 id reused, 3 group full (its name), 4 too many ids.
 */
import type { Names } from "../keys.ts";
import { matching } from "./matching.ts";
import { prelude, type Script, scriptOf } from "./script.ts";

/** Topics whose groups are remembered. Beyond it the cache starts anew. */
const routesMax = 10_000;

export const publishScript = (names: Names): Script =>
  scriptOf(
    "publish",
    `${prelude(names)}${matching}
local batch = cmsgpack.unpack(ARGV[1])
-- How far behind its beginning a message has them.
local ID, TOPIC = 5, 7
local isFirst = ARGV[2] == '1'
local window = tonumber(ARGV[3])
local idsMax = tonumber(ARGV[4])
local lengthMax = tonumber(ARGV[5])
local wantsPositions = ARGV[6] == '1'
local historyMax = tonumber(ARGV[7])
local historyAge = tonumber(ARGV[8])

local registry
local function find(topic)
  registry = registry or redis.call('HGETALL', p .. 'groups')
  local words, found = wordsOf(topic), {}
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

local groups = {}
local function groupOf(name)
  local group = groups[name]
  if not group then
    local stream = streamOf(name)
    group = { name = name, stream = stream, length = redis.call('XLEN', stream) }
    groups[name] = group
  end
  return group
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
local cached = redis.call('HMGET', p .. 'routes', unpack(topics))
for i = 1, #topics do
  local topic, route = topics[i], routes[topics[i]]
  for name in string.gmatch(cached[i] or find(topic), '%S+') do route[#route + 1] = groupOf(name) end
  -- Who listens to this topic alone, to all topics that begin with its first word, and to all.
  route.channels = {}
  local heard = redis.call('PUBSUB', 'NUMSUB', liveOf(topic), liveOf(string.match(topic, '^[^.]+') .. '.#'), liveOf('#'))
  for c = 1, #heard, 2 do if heard[c + 1] > 0 then route.channels[#route.channels + 1] = heard[c] end end
end

local slice = math.floor(window / 4)
local bucket = window > 0 and math.floor(now / slice) or 0
local function bucketOf(number) return string.format('%sids:%.0f', p, number) end
local remembers = 0
local known, fresh, remembered = {}, {}, 0
if window > 0 then
  remembers = redis.call('HLEN', bucketOf(bucket))
  if not isFirst then
    local asked = {}
    for i = 1, #starts do asked[i] = batch[starts[i] + TOPIC] .. ' ' .. batch[starts[i] + ID] end
    for back = 0, 4 do
      local found = redis.call('HMGET', bucketOf(bucket - back), unpack(asked))
      for i = 1, #asked do if found[i] then known[asked[i]] = found[i] end end
    end
  end
end

local lastMs, lastSeq = 0, 0
if historyMax > 0 then
  local last = redis.call('GET', p .. 'last')
  if last then lastMs, lastSeq = string.match(last, '(%d+)-(%d+)') end
  lastMs, lastSeq = tonumber(lastMs), tonumber(lastSeq)
end
local stored = {}
local function remember(topic, from, to)
  if now > lastMs then lastMs, lastSeq = now, 0 else lastSeq = lastSeq + 1 end
  local id = string.format('%.0f-%.0f', lastMs, lastSeq)
  redis.call('XADD', topicOf(topic), 'MAXLEN', '~', historyMax, id, unpack(batch, from, to))
  stored[topic] = true
  return id
end

local statuses, details, isPlain, full = {}, {}, not wantsPositions, nil
for i = 1, #starts do
  local start = starts[i]
  local topic, print = batch[start + TOPIC], batch[start + 1]
  local from, to = start + 2, start + 1 + batch[start]
  local route = routes[topic]
  local status, field = 0, nil
  if window > 0 then field = topic .. ' ' .. batch[start + ID] end
  if not isFirst and known[field] then
    status = known[field] == print and 1 or 2
  elseif full then
    status = 3
  elseif window > 0 and remembers >= idsMax / 4 then
    status = 4
  else
    for g = 1, #route do if route[g].length >= lengthMax then full = route[g].name end end
    if full then status = 3 end
  end
  if status == 0 then
    for g = 1, #route do
      local group = route[g]
      redis.call('XADD', group.stream, '*', unpack(batch, from, to))
      group.length = group.length + 1
    end
    if historyMax > 0 then details[i] = remember(topic, from, to) end
    if #route.channels > 0 then
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
  redis.call('HSET', bucketOf(bucket), unpack(fresh))
  if remembers == 0 then redis.call('PEXPIRE', bucketOf(bucket), window + 2 * slice) end
end
if next(stored) then
  redis.call('SET', p .. 'last', string.format('%.0f-%.0f', lastMs, lastSeq))
  for topic in pairs(stored) do
    redis.call('SADD', p .. 'topics', topic)
    redis.call('XTRIM', topicOf(topic), 'MINID', '~', string.format('%.0f', now - historyAge))
  end
end
if isPlain then return 1 end
local results = {}
for i = 1, #starts do
  results[i * 2 - 1] = statuses[i] or 0
  results[i * 2] = details[i] or ''
end
return results
`,
  );
