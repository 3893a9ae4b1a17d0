/** All cases, by promise. */
import type { ConformanceCase } from "../case.ts";
import { publishCases } from "./promise-01-publish.ts";
import { orderCases } from "./promise-02-order.ts";
import { fanOutCases } from "./promise-03-fan-out.ts";
import { keepingCases } from "./promise-04-keeping.ts";
import { creditCases } from "./promise-05-credit.ts";
import { retryCases } from "./promise-06-retry.ts";
import { backoffCases } from "./promise-07-backoff.ts";
import { deadLetterCases } from "./promise-08-dead-letter.ts";
import { redriveCases } from "./promise-09-redrive.ts";
import { crashCases } from "./promise-10-crash.ts";
import { clockCases } from "./promise-11-clocks.ts";
import { leaseCases } from "./promise-11-lease.ts";
import { timeCases } from "./promise-12-time.ts";
import { priorityCases } from "./promise-13-priority.ts";
import { dedupCases } from "./promise-14-dedup.ts";
import { patternCases } from "./promise-15-patterns.ts";
import { contentCases } from "./promise-16-content.ts";
import { forgingCases } from "./promise-17-forging.ts";
import { undecodableCases } from "./promise-17-undecodable.ts";
import { reconnectCases } from "./promise-18-reconnect.ts";
import { removalCases } from "./promise-19-removal.ts";
import { closeCases } from "./promise-20-close.ts";
import { historyCases } from "./promise-21-history.ts";
import { truthCases } from "./promise-22-truth.ts";
import { leakCases } from "./promise-23-leaks.ts";
import { secretCases } from "./promise-24-secrets.ts";

/** Every case of the suite; read-only data, so that it can be run elsewhere than in vitest too. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...publishCases,
  ...orderCases,
  ...fanOutCases,
  ...keepingCases,
  ...creditCases,
  ...retryCases,
  ...backoffCases,
  ...deadLetterCases,
  ...redriveCases,
  ...crashCases,
  ...leaseCases,
  ...clockCases,
  ...timeCases,
  ...priorityCases,
  ...dedupCases,
  ...patternCases,
  ...contentCases,
  ...undecodableCases,
  ...forgingCases,
  ...reconnectCases,
  ...removalCases,
  ...closeCases,
  ...historyCases,
  ...truthCases,
  ...leakCases,
  ...secretCases,
];
