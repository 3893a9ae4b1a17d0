/**
 * Brings back what is due: out of the sorted sets, into the streams of their groups. Any session may run it at any time; two that race find nothing
 * the second time. ARGV: at most. Returns how many were moved, the milliseconds until the next is due (-1: none waits), and the groups whose sorted
 * set somebody deleted: a group stands in `due` exactly as long as something of it waits.
 */
import type { Names } from "../keys.ts";
import { prelude, type Script, scriptOf } from "./script.ts";

/** Moved in one call, whatever their number; the caller calls again. */
const bytesMax = 4 * 1024 * 1024;

export const moveDueScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}
local most, moved, bytes, vanished = tonumber(ARGV[1]), 0, 0, {}
local ready = redis.call('ZRANGEBYSCORE', p .. 'due', '-inf', now, 'LIMIT', 0, 100)
-- A harmless write: what comes back takes no more memory than it did, so it may although memory is full.
if #ready > 0 then redis.call('ZREM', p .. 'due', '') end
for _, group in ipairs(ready) do
  local delayed, stream = delayedOf(group), streamOf(group)
  if redis.call('EXISTS', delayed) == 0 then vanished[#vanished + 1] = group end
  local isThere = redis.call('HEXISTS', p .. 'groups', group) == 1
  local isStuck = false
  while not isStuck and moved < most and bytes < ${bytesMax} do
    local members = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, math.min(50, most - moved))
    if #members == 0 then break end
    for _, member in ipairs(members) do
      local stored = {}
      if isThere then stored = redis.pcall('XADD', stream, '*', unpack(cmsgpack.unpack(string.sub(member, string.find(member, ' ', 1, true) + 1)))) end
      isStuck = stored.err ~= nil
      if isStuck then break end
      redis.call('ZREM', delayed, member)
      moved = moved + 1
      bytes = bytes + #member
    end
  end
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', p .. 'due', first[2], group) else redis.call('ZREM', p .. 'due', group) end
  if moved >= most or bytes >= ${bytesMax} then break end
end
local first = redis.call('ZRANGE', p .. 'due', 0, 0, 'WITHSCORES')
return { moved, first[2] and math.max(0, tonumber(first[2]) - now) or -1, unpack(vanished) }
`);
