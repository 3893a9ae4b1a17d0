import { describeFaults } from "@halyard/testkit";
import { served } from "./served.ts";

describeFaults("embedded", served({ isProxied: true }));
