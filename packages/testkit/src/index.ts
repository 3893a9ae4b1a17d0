/** The public surface of `@halyard/testkit`. */

export { type CodecSuiteOptions, describeCodec } from "./codec-suite.ts";
export { type CompressorSuiteOptions, describeCompressor } from "./compressor-suite.ts";
export type { BrokerPlace, BrokerUnderTest } from "./conformance/broker-faults/place.ts";
export { type BrokerFaultOptions, describeBrokerFaults } from "./conformance/broker-faults.ts";
export { type Abilities, type CaseKind, type ConformanceCase, type FaultArea, titleOf } from "./conformance/case.ts";
export { conformanceCases } from "./conformance/cases/index.ts";
export { type Fault, faults, type LineControls } from "./conformance/faults.ts";
export { type Facts, learnFacts, type RunOptions, runCase } from "./conformance/run-case.ts";
export { type BackendSuiteOptions, describeBackend, describeFaults } from "./conformance/suite.ts";
export type { BackendUnderTest, Place, World } from "./conformance/world.ts";
export type { ClusterUnderTest, RunningCluster } from "./endurance/cluster-case.ts";
export { describeEndurance, type EnduranceOptions } from "./endurance.ts";
export { type FaultProxy, type FaultProxyOptions, faultProxy, type ProxyTarget } from "./fault-proxy.ts";
export type { FaultyBackend } from "./faulty/faulty-backend.ts";
export { proveBrokerFaults } from "./faulty/prove-broker-faults.ts";
export { faultyBackends, type KitProofOptions, proveKit } from "./faulty/prove-kit.ts";
export { type Hooks, wrapped } from "./faulty/wrap.ts";
export {
  createTestBus,
  type DeadLetteredRecord,
  type HandledRecord,
  type PublishedRecord,
  type RetriedRecord,
  type TestBus,
  type TestBusRecords,
} from "./fixtures/test-bus.ts";
export { type ManualClock, type ManualClockOptions, manualClock } from "./manual-clock.ts";
export { startWorker, type Worker, type WorkerExit, type WorkerOptions, type WorkerPool, workerPool } from "./workers.ts";
