import { describeFaults } from "@halyard/testkit";
import { served } from "./served.ts";

const { broker, options } = served();

describeFaults("redis-streams", { ...options, target: () => ({ host: broker().host, port: broker().port }) });
