/**
 * Stores copies in one group's inbox or in its dead letters, past every pattern and every dedup. ARGV: `group` or `dead`, group, list of fields,
 * group's messages at most. Returns a number each: 0 stored, 3 full, 5 no such group.
 */
import type { Names } from "../keys.ts";
import { prelude, type Script, scriptOf } from "./script.ts";

export const sendScript = (names: Names): Script =>
  scriptOf(`${prelude(names)}
local isDead, group, most = ARGV[1] == 'dead', ARGV[2], tonumber(ARGV[4])
local list, statuses = cmsgpack.unpack(ARGV[3]), {}
local stream = isDead and deadOf(group) or streamOf(group)
local refusal = 0
if not isDead and redis.call('HEXISTS', p .. 'groups', group) == 0 then refusal = 5 end
local length = isDead and 0 or redis.call('XLEN', stream)
for i = 1, #list do
  if refusal == 0 and not isDead and length >= most then refusal = 3 end
  if refusal == 0 then
    redis.call('XADD', stream, '*', unpack(cmsgpack.unpack(list[i])))
    length = length + 1
  end
  statuses[i] = refusal
end
return statuses
`);
