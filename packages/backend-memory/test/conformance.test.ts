import { describeBackend } from "@halyard/testkit";
import { memory } from "../src/index.ts";

describeBackend("memory", { create: () => memory(), hasHostClock: true });
