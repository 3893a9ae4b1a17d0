/** What every act of the demo has at hand, and what it does between two of them: wait until the work is done. */
import type { DemoArguments } from "./arguments.ts";
import type { Coordinator } from "./coordinator.ts";
import type { Screen } from "./progress.ts";
import type { Team } from "./team.ts";

export interface Stage {
  readonly options: DemoArguments & { readonly folder: string };
  readonly screen: Screen;
  readonly team: Team;
  readonly coordinator: Coordinator;
  /** For everything that is only there while the demo runs. */
  readonly scratch: string;
  /** Where the team meets, for people. */
  readonly meetingTitle: string;
  readonly signal: AbortSignal;
  /** For the report: what happened on the way. */
  readonly events: string[];
}

export async function work({ coordinator, screen }: Stage): Promise<void> {
  await coordinator.quiet((progress) => screen.progress(progress));
  screen.progress(coordinator.progress, true);
}
