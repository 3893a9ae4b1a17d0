// Notes without end until it is killed.
import { DiskLedger } from "../../dist/conformance/broker-faults/disk-ledger.js";

const ledger = new DiskLedger(process.argv[2], "writer");
for (let noted = 1; ; noted++) {
  ledger.note("accepted", `m${noted}`);
  if (noted % 1_000 === 0) {
    process.stdout.write(`${JSON.stringify({ noted })}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
