/** The messages that codecs and compressors are measured with: three as agents exchange them, and records of three sizes. Each has variants, as a topic has. */

export interface SampleMessage {
  /** Stable: it is in the result files. */
  readonly name: string;
  readonly title: string;
  /** A message like the others and not the same; the same for the same number in every run. */
  readonly make: (variant: number) => object;
}

/** Words as they stand in what agents write to each other: text that compresses as text does, not as one word repeated. */
const words =
  "the order of a customer was shipped yesterday and the invoice has been sent to their new address in Lisbon so please check whether payment arrived before you close this ticket agent found three documents which describe how retries are counted when broker restarts while message is held by consumer answer is that lease runs out then another member takes it".split(
    " ",
  );

/** Numbers that look like chance and are the same in every run (a linear congruential generator). */
function chanceFrom(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function sentence(chance: () => number, count: number): string {
  return Array.from({ length: count }, () => words[Math.floor(chance() * words.length)]).join(" ");
}

function idOf(chance: () => number): string {
  const hex = (digits: number): string =>
    Math.floor(chance() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  return `0197${hex(4)}-${hex(4)}-7${hex(3)}-9${hex(3)}-${hex(6)}${hex(6)}`;
}

function event(variant: number): object {
  const chance = chanceFrom(variant);
  return {
    id: idOf(chance),
    type: "order.placed",
    at: 1_795_243_130_682 + variant,
    customer: { id: idOf(chance), isNew: variant % 3 === 0 },
    amount: Math.round(chance() * 100_000) / 100,
    currency: "EUR",
    items: [
      { sku: `A-${Math.floor(chance() * 9_000) + 1_000}`, count: 2 },
      { sku: `B-${Math.floor(chance() * 9_000) + 1_000}`, count: 1 },
    ],
    note: sentence(chance, 7),
  };
}

function toolCall(variant: number): object {
  const chance = chanceFrom(variant);
  const turn = (role: string): object => ({ role, content: sentence(chance, 45), tokens: Math.floor(chance() * 400) });
  return {
    callId: idOf(chance),
    tool: "search_documents",
    arguments: { query: sentence(chance, 8), limit: 10, filters: { language: "en", after: "2026-01-01", tags: ["billing", "retries"] } },
    conversation: [turn("user"), turn("assistant"), turn("user"), turn("assistant"), turn("user")],
    usage: { input: Math.floor(chance() * 4_000), output: Math.floor(chance() * 900), cost: chance() / 100 },
    isStreaming: false,
  };
}

/** Fractions of the length and precision in which models give them. */
function embedding(variant: number): object {
  const chance = chanceFrom(variant);
  return { id: idOf(chance), model: "embed-3-small", vector: Array.from({ length: 1_536 }, () => Math.fround((chance() - 0.5) / 10)) };
}

/** Rows of a result, until their JSON has the size. */
function records(bytes: number): (variant: number) => object {
  return (variant) => {
    const chance = chanceFrom(variant);
    const rows: object[] = [];
    for (let length = 10; length < bytes; ) {
      const row = { id: rows.length, key: idOf(chance), score: Math.round(chance() * 1e6) / 1e6, isOpen: chance() < 0.5, text: sentence(chance, 12) };
      rows.push(row);
      length += JSON.stringify(row).length + 1;
    }
    return { rows };
  };
}

export const sampleMessages: readonly SampleMessage[] = [
  { name: "event", title: "An event of 300 B", make: event },
  { name: "tool-call", title: "A tool call of 2 KB", make: toolCall },
  { name: "embedding", title: "An embedding of 1,536 numbers", make: embedding },
  { name: "records-1k", title: "Records, 1 KB", make: records(1_024) },
  { name: "records-16k", title: "Records, 16 KB", make: records(16 * 1_024) },
  { name: "records-1m", title: "Records, 1 MB", make: records(1_024 * 1_024) },
];
