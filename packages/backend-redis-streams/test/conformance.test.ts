import { describeBackend } from "@halyard/testkit";
import { served } from "./served.ts";

// Without history all else is the same; that it is refused then is asked below.
describeBackend("redis-streams", served({ history: {} }).options);

describeBackend("redis-streams", { ...served().options, variant: "without history", only: [21] });

describeBackend("redis-streams", { ...served({ dedupMs: 2_000 }).options, variant: "with a short window", only: [14] });
