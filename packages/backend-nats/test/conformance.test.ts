import { describeBackend } from "@halyard/testkit";
import { served } from "./support/served.ts";

describeBackend("nats", served());
