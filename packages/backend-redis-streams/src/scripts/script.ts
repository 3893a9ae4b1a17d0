/**
 * What runs inside Redis. Each script is one thing that must happen at once or not at all. All take one key, the root of the namespace's names
 * (`{namespace}:`), so that a cluster finds the slot; all other names are made from it and stand in the same slot.
 *
 * Three rules hold for all of them. Time is Redis' (`TIME`). What stores comes before what removes. And where a script must work although memory is
 * full, it begins with a harmless write that is always allowed: Redis then lets the script finish, which is needed to make room at all.
 */
import { createHash } from "node:crypto";
import type { Names } from "../keys.ts";

export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export function scriptOf(lua: string): Script {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/** Names and the time, for every script. Names hold no quotes: `namesOf` has looked. */
export function prelude(names: Names): string {
  return `local p = KEYS[1]
local GROUP = '${names.consumerGroup}'
local function streamOf(group) return p .. '${names.group}' .. group end
local function deadOf(group) return p .. '${names.dead}' .. group end
local function delayedOf(group) return p .. '${names.delayed}' .. group end
local function topicOf(topic) return p .. '${names.topic}' .. topic end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;
}

/** Lua hands at most 8,000 values to one command, names and options among them. */
export const valuesMax = 4_000;

/** Calls a function with the values of a list, no more at once than a command can be given. */
export const inParts = `local function inParts(list, run)
  for from = 1, #list, ${valuesMax} do run(unpack(list, from, math.min(#list, from + ${valuesMax - 1}))) end
end
`;

/** Consumer that owns what members gave back, until another takes it. */
export const parkedName = "parked";
