import { proveKit } from "@halyard/testkit";
import { memory } from "../src/index.ts";

proveKit({ create: () => memory(), hasHostClock: true });
