/** All broker-fault cases, in the order in which they run. */
import type { BrokerCase } from "../broker-case.ts";
import { consumerCases } from "./consumers.ts";
import { letterCases } from "./letters.ts";
import { processCases } from "./processes.ts";
import { restartCases } from "./restarts.ts";
import { roomCases } from "./room.ts";
import { subscriptionCases } from "./subscriptions.ts";

export const brokerCases: readonly BrokerCase[] = [...restartCases, ...consumerCases, ...roomCases, ...processCases, ...letterCases, ...subscriptionCases];
