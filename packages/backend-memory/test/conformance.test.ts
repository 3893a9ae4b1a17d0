import { describeBackend } from "@halyard/testkit";
import { memory } from "../src/index.ts";

describeBackend("memory", { create: () => memory(), hasHostClock: true });
describeBackend("memory with leases", { create: () => memory({ leaseMs: 400 }), only: [5, 6, 10, 11, 12, 20] });
