/** Compiled, never run: an error of the compiler is a failed test. Each `@ts-expect-error` is a call that must not compile. */
import { defineTopics, type Topics, type } from "../../src/topics/define-topics.ts";
import type { PatternsMeet } from "../../src/topics/pattern-types.ts";
import type { StandardSchemaV1 } from "../../src/topics/standard-schema.ts";
import type { KeysMatching, KnownPattern, KnownTopic, PayloadMatching, PayloadOf, TopicMap, UntypedTopics } from "../../src/topics/topic-map.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only where both types are the same. */
declare function same<A, B>(check: Equal<A, B>): void;

interface Submitted {
  readonly id: string;
}
interface Completed {
  readonly id: string;
  readonly result: number;
}
interface Beat {
  readonly agent: string;
}
declare const numberFromText: StandardSchemaV1<string, number>;

const topics = defineTopics({
  "task.submitted.*": type<Submitted>(),
  "task.completed.*": type<Completed>(),
  "agent.#": type<Beat>(),
  "metric.cpu": numberFromText,
});
type Map = typeof topics extends Topics<infer Known> ? Known : never;

// The shape of a bus, as `createBus` returns it.
interface Bus<Known extends TopicMap> {
  publish<const Topic extends string>(topic: KnownTopic<Known, Topic>, payload: PayloadOf<Known, Topic>): void;
  subscribe<const Pattern extends string | readonly string[]>(
    pattern: KnownPattern<Known, Pattern>,
    handler: (message: { readonly payload: PayloadMatching<Known, Pattern> }) => void,
  ): void;
}
declare const bus: Bus<Map>;
declare const untyped: Bus<UntypedTopics>;
declare const anyText: string;
declare const anyTexts: readonly string[];
declare const agentName: string;

// Publishing to a concrete topic.
bus.publish("task.submitted.high", { id: "t1" });
bus.publish("agent", { agent: "a" });
bus.publish("agent.worker.1.beat", { agent: "a" });
bus.publish("metric.cpu", "0.5");
bus.publish(`agent.${agentName}.beat`, { agent: "a" });
bus.publish(anyText, { agent: "a" });
// @ts-expect-error the payload of another topic
bus.publish("task.submitted.high", { agent: "a" });
// @ts-expect-error publishers pass the schema's input, not its output
bus.publish("metric.cpu", 0.5);
// @ts-expect-error no key matches: `*` is one word
bus.publish("task.submitted.high.urgent", { id: "t1" });
// @ts-expect-error no key matches: `*` is not nothing
bus.publish("task.submitted", { id: "t1" });
// @ts-expect-error no key matches
bus.publish("tusk.submitted.high", { id: "t1" });
// @ts-expect-error a template is checked as far as it is known
bus.publish(`tusk.${agentName}`, { id: "t1" });

// Subscribing: the union of what the pattern can match.
bus.subscribe("task.submitted.high", ({ payload }) => same<typeof payload, Submitted>(true));
bus.subscribe("task.submitted.*", ({ payload }) => same<typeof payload, Submitted>(true));
bus.subscribe("task.*.high", ({ payload }) => same<typeof payload, Submitted | Completed>(true));
bus.subscribe("task.#", ({ payload }) => same<typeof payload, Submitted | Completed>(true));
bus.subscribe("*.cpu", ({ payload }) => same<typeof payload, Beat | number>(true));
bus.subscribe("#.high", ({ payload }) => same<typeof payload, Submitted | Completed | Beat>(true));
bus.subscribe("#", ({ payload }) => same<typeof payload, Submitted | Completed | Beat | number>(true));
bus.subscribe("metric.cpu", ({ payload }) => same<typeof payload, number>(true));
bus.subscribe(["task.completed.low", "metric.*"], ({ payload }) => same<typeof payload, Completed | number>(true));
bus.subscribe(["agent.#"], ({ payload }) => same<typeof payload, Beat>(true));
bus.subscribe(anyText, ({ payload }) => same<typeof payload, Submitted | Completed | Beat | number>(true));
bus.subscribe(anyTexts, ({ payload }) => same<typeof payload, Submitted | Completed | Beat | number>(true));
bus.subscribe(`agent.${agentName}`, ({ payload }) => same<typeof payload, Beat>(true));
bus.subscribe(`${agentName}.now.cpu`, ({ payload }) => same<typeof payload, Beat>(true));
bus.subscribe(`task.submitted.${agentName}`, ({ payload }) => same<typeof payload, Submitted>(true));
bus.subscribe(agentName === "a" ? "task.submitted.low" : "metric.cpu", ({ payload }) => same<typeof payload, Submitted | number>(true));
// @ts-expect-error a pattern that no key can meet
bus.subscribe("task.deleted.*", () => {});
// @ts-expect-error one of two
bus.subscribe(["task.#", "tusk.#"], () => {});

// Without a map.
untyped.publish("anything.at.all", 1);
untyped.subscribe("task.*", ({ payload }) => same<typeof payload, unknown>(true));
untyped.subscribe(anyText, ({ payload }) => same<typeof payload, unknown>(true));

// Several keys match one topic: the union.
const overlapping = defineTopics({ "task.#": type<{ base: 1 }>(), "task.*.high": type<{ special: 2 }>() });
type Overlapping = (typeof overlapping)["map"];
same<PayloadOf<Overlapping, "task.x.high">, { base: 1 } | { special: 2 }>(true);
same<PayloadOf<Overlapping, "task.x.low">, { base: 1 }>(true);
same<KeysMatching<Overlapping, "*.*.high">, "task.#" | "task.*.high">(true);

// Pattern against pattern.
same<PatternsMeet<"a.b", "a.b">, true>(true);
same<PatternsMeet<"a.b", "a.c">, false>(true);
same<PatternsMeet<"a.#", "a">, true>(true);
same<PatternsMeet<"a.*", "a">, false>(true);
same<PatternsMeet<"#.z", "a.#">, true>(true);
same<PatternsMeet<"*.b.#", "a.*">, true>(true);
same<PatternsMeet<"a.#.b.#.c", "a.c">, false>(true);
same<PatternsMeet<"a.#.b.#.c", "*.*.*">, true>(true);
same<PatternsMeet<"#.#", "*">, true>(true);
same<PatternsMeet<"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.#", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16">, true>(true);
same<PatternsMeet<"#.a.#.b.#.c.#.d.#.e", "#.e.#.d.#.c.#.b.#.a">, false>(true);
same<PatternsMeet<"#.a.#.a.#.a.#.a.#.a", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b">, false>(true);

// @ts-expect-error a value must be a schema
defineTopics({ "task.*": { id: "string" } });
