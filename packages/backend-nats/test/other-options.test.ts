/** The suite again with other options, as far as these concern it: a stream that keeps what was handled (history, earlier starts), a short window for ids. */
import { describeBackend } from "@halyard/testkit";
import { served } from "./support/served.ts";

describeBackend("nats", {
  ...served({ stream: { retention: "limits", maxAgeMs: 3_600_000 } }),
  variant: "with limits",
  only: [1, 3, 4, 5, 6, 14, 15, 19, 21, 22],
});

describeBackend("nats", { ...served({ dedupMs: 2_000 }), variant: "with a short window", only: [14] });
