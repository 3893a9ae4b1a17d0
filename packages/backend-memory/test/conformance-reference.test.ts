import { describeBackend } from "@halyard/testkit";
import { memory } from "../src/index.ts";

describeBackend("memory by reference", { create: () => memory({ fidelity: "reference" }), hasHostClock: true });
