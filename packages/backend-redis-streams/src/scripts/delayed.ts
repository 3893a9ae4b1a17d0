/**
 * Brings back what is due: out of the sorted sets, into the streams of their groups. Any session may run it at any time; two that race find nothing
 * the second time. ARGV: at most. Returns how many were moved and the milliseconds until the next is due (-1: none waits).
 */
import type { Names } from "../keys.ts";
import { prelude, type Script, scriptOf } from "./script.ts";

export const moveDueScript = (names: Names): Script =>
  scriptOf(
    "move-due",
    `${prelude(names)}
local most, moved = tonumber(ARGV[1]), 0
local ready = redis.call('ZRANGEBYSCORE', p .. 'due', '-inf', now, 'LIMIT', 0, 100)
-- A harmless write: what comes back takes no more memory than it did, so it may although memory is full.
if #ready > 0 then redis.call('ZREM', p .. 'due', '') end
for _, group in ipairs(ready) do
  local delayed, stream = delayedOf(group), streamOf(group)
  local isThere = redis.call('HEXISTS', p .. 'groups', group) == 1
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, most - moved)) do
    local stored = {}
    if isThere then stored = redis.pcall('XADD', stream, '*', unpack(cmsgpack.unpack(string.sub(member, string.find(member, ' ', 1, true) + 1)))) end
    if stored.err then break end
    redis.call('ZREM', delayed, member)
    moved = moved + 1
  end
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', p .. 'due', first[2], group) else redis.call('ZREM', p .. 'due', group) end
  if moved >= most then break end
end
local first = redis.call('ZRANGE', p .. 'due', 0, 0, 'WITHSCORES')
return { moved, first[2] and math.max(0, tonumber(first[2]) - now) or -1 }
`,
  );
