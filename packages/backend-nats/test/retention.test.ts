/** The same promises where the stream keeps what was handled: history, and groups that start earlier. */
import { describeBackend } from "@halyard/testkit";
import { served } from "./support/served.ts";

describeBackend("nats", {
  ...served({ stream: { retention: "limits", maxAgeMs: 3_600_000 } }),
  variant: "with limits",
  only: [1, 3, 4, 5, 6, 14, 15, 19, 21, 22],
});
