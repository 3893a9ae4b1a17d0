/** Reads V8's processor profiles (`--cpu-prof`) and says where a process spent its time, as text that can be compared between two runs. */

/** The part of a `.cpuprofile` file that is used here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Node that was on top of the stack, sample by sample. */
  readonly samples: readonly number[];
  /** Microseconds between a sample and the one before it. */
  readonly timeDeltas: readonly number[];
}

/** Time that one function itself took, without what it called. */
export interface SelfTime {
  readonly place: string;
  readonly ms: number;
}

/** What V8 calls time in which no JavaScript ran, and what is no work of the process. */
const idle = new Set(["(idle)", "(root)"]);

/** Functions by self time, the largest first; idle time is left out. */
export function selfTimes(profile: CpuProfile): readonly SelfTime[] {
  const places = new Map(profile.nodes.map((node) => [node.id, placeOf(node.callFrame)]));
  const totals = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const place = places.get(id) ?? "(unknown)";
    // The sample was taken at the end of its delta; the next delta is what its function goes on to take.
    totals.set(place, (totals.get(place) ?? 0) + (profile.timeDeltas[index + 1] ?? 0) / 1e3);
  }
  return [...totals]
    .filter(([place]) => !idle.has(place))
    .map(([place, ms]) => ({ place, ms }))
    .sort((left, right) => right.ms - left.ms);
}

/** The top of the list: share of the busy time, time per message where it is known how many there were, and the function. */
export function profileTable(name: string, times: readonly SelfTime[], options: { readonly messages: number; readonly top: number }): string {
  const busyMs = times.reduce((sum, time) => sum + time.ms, 0);
  const rows = times.slice(0, options.top).map(({ place, ms }) => {
    const share = `${((ms / busyMs) * 100).toFixed(1)} %`;
    const perMessage = `${((ms * 1e3) / options.messages).toFixed(3)} µs`;
    return `${share.padStart(8)}  ${perMessage.padStart(10)}  ${place}`;
  });
  const all = `${((busyMs * 1e3) / options.messages).toFixed(3)} µs`;
  return [`${name}: busy for ${Math.round(busyMs)} ms, ${all} a message over ${options.messages} messages (start and warm-up included)`, ...rows].join("\n");
}

function placeOf(frame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }): string {
  const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
  if (frame.url === "") return name;
  // A path is only told from the package on: where the repository lies says nothing.
  const path = frame.url.replace(/^file:\/\//, "").replace(/^.*\/(?=(?:packages|benchmarks|node_modules)\/)/, "");
  return `${name}  ${path}:${frame.lineNumber + 1}`;
}
