/** Whose turn it is among the members of a group that asked for `exclusive`. */
import type { Names } from "../keys.ts";
import { prelude, type Script, scriptOf } from "./script.ts";

/**
 * The turn lapses unless it is kept. Whose it was last stays known, for what that one still holds is the next one's; what members that did not ask for
 * `exclusive` hold is not. ARGV: `take` or `keep`, group, consumer, milliseconds. Returns 1 where the turn is the caller's, else 0, and who had it before
 * where it has just changed hands.
 */
export const turnScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}
local group, me = ARGV[2], ARGV[3]
redis.call('HDEL', p .. 'idle', '')
local key = p .. 'exclusive:' .. group
local owner = redis.call('GET', key)
if owner ~= me and (owner or ARGV[1] ~= 'take') then return { 0 } end
redis.call('SET', key, me, 'PX', ARGV[4])
if owner == me then return { 1 } end
local former = redis.call('HGET', p .. 'turns', group)
redis.call('HSET', p .. 'turns', group, me)
return { 1, former or '' }
`);
