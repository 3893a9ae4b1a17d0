/** All scripts of one backend. */
import type { Settings } from "../options.ts";
import { moveDueScript } from "./delayed.ts";
import { fillScript } from "./fill.ts";
import { defineScript, heartbeatScript, inspectScript, purgeScript, removeScript } from "./groups.ts";
import { judgeScript, lockScript } from "./letters.ts";
import { publishScript } from "./publish.ts";
import { sendScript } from "./send.ts";
import { ackScript, extendScript, settleScript } from "./settle.ts";
import { leaveScript, takeScript } from "./take.ts";
import { turnScript } from "./turn.ts";

export type { Script } from "./script.ts";

export function scriptsOf(settings: Settings) {
  const { names } = settings;
  return {
    publish: publishScript(settings),
    send: sendScript(names),
    ack: ackScript(names),
    settle: settleScript(names),
    extend: extendScript(names),
    take: takeScript(names),
    leave: leaveScript(names),
    moveDue: moveDueScript(names),
    define: defineScript(names),
    fill: fillScript(names),
    remove: removeScript(names),
    heartbeat: heartbeatScript(names),
    purge: purgeScript(names),
    inspect: inspectScript(names),
    lock: lockScript(),
    turn: turnScript(names),
    judge: judgeScript(names),
  };
}

export type Scripts = ReturnType<typeof scriptsOf>;
