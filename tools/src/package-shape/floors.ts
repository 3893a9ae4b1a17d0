/** The least versions of the libraries that the packages stand on: what is older has a fault that no code of ours can make up for. */
import type { Workspace } from "../workspaces.ts";

interface Floor {
  readonly version: string;
  readonly why: string;
}

const floors: Readonly<Record<string, Floor>> = {
  amqplib: { version: "2.3.1", why: "older ones allocate what a frame's header says, up to 4 GiB (GHSA-37f9-7m79-6866)" },
  ioredis: {
    version: "6.0.0",
    why: "older ones stop connecting when they are cut while they connect (ioredis#2099), and MOVED can pollute prototypes (ioredis#2151)",
  },
  "@nats-io/transport-node": { version: "3.4.0", why: "the line before lets line breaks in a reply subject through" },
  "@nats-io/jetstream": { version: "3.4.0", why: "it goes with the transport of that version" },
  msgpackr: { version: "1.10.1", why: "older ones loop for ever on some inputs (GHSA-7hpj-7hhx-2fgx)" },
};

export function checkFloors({ manifest: { dependencies = {} } }: Workspace): readonly string[] {
  return Object.entries(dependencies).flatMap(([name, range]) => {
    const floor = floors[name];
    return floor === undefined || isAtLeast(range, floor.version)
      ? []
      : [`${name} must be a dependency as "^${floor.version}" or newer, not "${range}": ${floor.why}.`];
  });
}

/** Of ranges with one beginning: `^1.2.3`, `~1.2.3`, `>=1.2.3`, `1.2.3`. Others have none that could be compared. */
function isAtLeast(range: string, least: string): boolean {
  const [, begin] = /^(?:\^|~|>=)?(\d+\.\d+\.\d+)$/.exec(range) ?? [];
  return begin !== undefined && begin.localeCompare(least, "en", { numeric: true }) >= 0;
}
