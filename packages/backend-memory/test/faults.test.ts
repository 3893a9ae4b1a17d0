import { describeFaults } from "@halyard/testkit";
import { memory } from "../src/index.ts";

describeFaults("memory", { create: () => memory() });
