import { describeBackend } from "@halyard/testkit";
import { served } from "./served.ts";

describeBackend("redis-streams", served().options);
