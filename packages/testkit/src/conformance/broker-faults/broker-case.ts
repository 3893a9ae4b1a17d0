/** What a broker-fault case is: data, like the other cases of the kit. */
import type { Capabilities } from "@halyard/core/spi";
import type { BrokerWorld } from "./broker-world.ts";
import type { BrokerUnderTest } from "./place.ts";

export interface BrokerCase {
  /** Number in the list of promises. */
  readonly promise: number;
  readonly title: string;
  /** Why this backend is not asked; `undefined`: it is. */
  readonly needs?: (capabilities: Capabilities, subject: BrokerUnderTest) => string | undefined;
  run(world: BrokerWorld): Promise<void>;
}

export const needsDurable = ({ durable }: Capabilities): string | undefined => (durable ? undefined : "it is not durable");
export const needsProcesses = ({ processes }: BrokerUnderTest): string | undefined =>
  processes === undefined ? "the suite has no module to start consumers in processes of their own" : undefined;
