import { describeBackend } from "@halyard/testkit";
import { memory } from "../src/index.ts";

describeBackend("memory", { create: () => memory({ fidelity: "reference" }), variant: "by reference", hasHostClock: true });
