/** Dead letters: one walk a group at a time, and verdicts that are carried out at once. */
import type { Names } from "../keys.ts";
import { inParts, prelude, type Script, scriptOf } from "./script.ts";

/** Takes, keeps or frees a lock. ARGV: `take`, `keep` or `free`, name of the lock, token, milliseconds. Returns 1 where it is the caller's. */
export const lockScript = (): Script =>
  scriptOf(`local key, token = KEYS[1] .. ARGV[2], ARGV[3]
redis.call('HDEL', KEYS[1] .. 'idle', '')
local owner = redis.call('GET', key)
if ARGV[1] == 'free' then
  if owner == token then redis.call('DEL', key) end
  return 1
end
if owner == token or (not owner and ARGV[1] == 'take') then
  redis.call('SET', key, token, 'PX', ARGV[4])
  return owner == token and 1 or 2
end
return 0
`);

/**
 * ARGV: group, token of the walk, its time, list (id, \`remove\` or \`redrive\`, fields). A redriven letter is stored in the group's inbox and removed in
 * the same step. Returns 1, 0 where the walk is somebody else's by now, 5 where a redrive has no group (nothing was done then).
 */
export const judgeScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}${inParts}
local group, list = ARGV[1], cmsgpack.unpack(ARGV[4])
local key = p .. 'walk:' .. group
if redis.call('GET', key) ~= ARGV[2] then return 0 end
redis.call('PEXPIRE', key, ARGV[3])
local dead, gone = deadOf(group), {}
local hasGroup = redis.call('HEXISTS', p .. 'groups', group) == 1
for i = 1, #list, 3 do if list[i + 1] == 'redrive' and not hasGroup then return 5 end end
for i = 1, #list, 3 do
  if #redis.call('XRANGE', dead, list[i], list[i]) > 0 then
    if list[i + 1] == 'redrive' then redis.call('XADD', streamOf(group), '*', unpack(cmsgpack.unpack(list[i + 2]))) end
    gone[#gone + 1] = list[i]
  end
end
inParts(gone, function(...) redis.call('XDEL', dead, ...) end)
return 1
`);
