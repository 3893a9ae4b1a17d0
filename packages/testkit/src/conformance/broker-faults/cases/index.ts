/** All broker-fault cases, in the order in which they run. */
import type { BrokerCase } from "../broker-case.ts";
import { consumerCases } from "./consumers.ts";
import { restartCases } from "./restarts.ts";
import { roomCases } from "./room.ts";

export const brokerCases: readonly BrokerCase[] = [...restartCases, ...consumerCases, ...roomCases];
