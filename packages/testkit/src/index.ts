/** The public surface of `@halyard/testkit`. */
export { type Abilities, type CaseKind, type ConformanceCase, type FaultArea, titleOf } from "./conformance/case.ts";
export { conformanceCases } from "./conformance/cases/index.ts";
export { type Fault, faults, type LineControls } from "./conformance/faults.ts";
export { type Facts, learnFacts, type RunOptions, runCase } from "./conformance/run-case.ts";
export { type BackendSuiteOptions, describeBackend, describeFaults } from "./conformance/suite.ts";
export type { BackendUnderTest, Place, World } from "./conformance/world.ts";
export { type FaultProxy, type FaultProxyOptions, faultProxy, type ProxyTarget } from "./fault-proxy.ts";
