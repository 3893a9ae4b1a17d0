import { describeFaults } from "@halyard/testkit";
import { served } from "./support/served.ts";

describeFaults("nats", served({}, { isProxied: true }));
