import { describeBackend } from "@halyard/testkit";
import { memory } from "../src/index.ts";

describeBackend("memory", { create: () => memory(), hasHostClock: true });
describeBackend("memory", { create: () => memory({ leaseMs: 400 }), variant: "with leases", only: [5, 6, 10, 11, 12, 20] });
