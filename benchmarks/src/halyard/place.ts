/** Where a networked contender meets, as plain data for another process, and the backend that leads there. */
import { embedded } from "@halyard/backend-embedded";
import type { Backend } from "@halyard/core";

export interface Place {
  readonly backend: "embedded";
  /** What the server said when it was ready: a port of this machine, or a URL. */
  readonly address: string;
}

/** All options but the place are the defaults. */
export function backendAt({ backend, address }: Place): Backend {
  return backends[backend](address);
}

const backends: Readonly<Record<Place["backend"], (address: string) => Backend>> = {
  embedded: (address) => embedded({ port: Number(address), autoStart: false }),
};
