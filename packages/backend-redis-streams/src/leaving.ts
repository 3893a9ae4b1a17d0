/** A consumer leaves groups: what it holds goes back to them, and its name goes. */
import type { Host } from "@halyard/core/spi";
import type { Commands } from "./commands.ts";
import type { Settings } from "./options.ts";
import type { Scripts } from "./scripts/index.ts";

export interface LeavingParts {
  readonly commands: Commands;
  readonly scripts: Scripts;
  readonly settings: Settings;
  readonly report: Host["report"];
}

/** `own`: of this session. `forced`: of one that broke, whose settlements may still be on their way. */
export async function leaveGroups(
  { commands, scripts, settings, report }: LeavingParts,
  consumer: string,
  how: "own" | "forced",
  groups: readonly string[],
): Promise<void> {
  for (let rest = 1; rest > 0; ) {
    const [more, ...lost] = (await commands.run(scripts.leave, [consumer, how, ...groups])) as [number, ...unknown[]];
    rest = more;
    for (let index = 0; index + 1 < lost.length; index += 2)
      report(goneEvent(commands.root + settings.names.group + String(lost[index]), Number(lost[index + 1])));
  }
}

/** Members held these entries, or had given them back, and somebody deleted them or trimmed the stream. */
export const goneEvent = (stream: string, lost: number) => ({ type: "recreated", what: `deleted entries of stream ${stream}`, lost }) as const;
