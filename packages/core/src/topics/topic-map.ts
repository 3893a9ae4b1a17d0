/** What the keys and schemas of a topic map say about payloads. Types only: publish takes a schema's input, a handler gets its output. */
import type { AsLiteralPattern, PatternsMeet } from "./pattern-types.ts";
import type { SchemaInput, SchemaOutput, StandardSchemaV1 } from "./standard-schema.ts";

/** Patterns (or topics) with the schema of the payloads on them. Made by `defineTopics`. */
export type TopicMap = { readonly [pattern: string]: StandardSchemaV1 };

/** The map of a bus that was given none: every topic may carry anything, and handlers get `unknown`. */
export type UntypedTopics = { readonly "#": StandardSchemaV1<unknown, unknown> };

/** The keys of the map that can match what this pattern (or topic, or list of patterns) can match. */
export type KeysMatching<Map extends TopicMap, Pattern extends string | readonly string[]> = Pattern extends readonly (infer One extends string)[]
  ? KeysMatchingOne<Map, One>
  : Pattern extends string
    ? KeysMatchingOne<Map, Pattern>
    : never;

/** Distributes over a union of patterns. */
type KeysMatchingOne<Map extends TopicMap, Pattern extends string> = Pattern extends string ? KeysMeeting<Map, AsLiteralPattern<Pattern>> : never;

/** The one place that walks all keys, once for each literal pattern: aliases of the same arguments are looked up, not computed again. */
type KeysMeeting<Map extends TopicMap, Pattern extends string> = Pattern extends "#"
  ? keyof Map & string
  : { [Key in keyof Map & string]: PatternsMeet<Key, Pattern> extends true ? Key : never }[keyof Map & string];

/** What may be published to a topic: the union over all keys that match it. A topic of type `string` may carry what any key may. */
export type PayloadOf<Map extends TopicMap, Topic extends string> = SchemaInput<Map[KeysMatching<Map, Topic>]>;

/** What a subscription's handler gets: the union over all keys whose topics its pattern, or one of its patterns, can match. */
export type PayloadMatching<Map extends TopicMap, Pattern extends string | readonly string[]> = SchemaOutput<Map[KeysMatching<Map, Pattern>]>;

/**
 * The topic itself where the map has a key for it, otherwise a sentence that the compiler shows as the type that was expected. `Topic` is inferred through it.
 *
 * @example
 * declare function publish<const Topic extends string>(topic: KnownTopic<Map, Topic>, payload: PayloadOf<Map, Topic>): void;
 */
export type KnownTopic<Map extends TopicMap, Topic extends string> = KnownPattern<Map, Topic>;

/** The pattern, or the list of patterns, where each can match a topic of the map; otherwise a sentence as in `KnownTopic`. */
export type KnownPattern<Map extends TopicMap, Pattern extends string | readonly string[]> = [Unmatched<Map, Pattern>] extends [never]
  ? Pattern
  : Pattern extends string
    ? `no key of defineTopics matches ${Unmatched<Map, Pattern>}`
    : readonly `no key of defineTopics matches ${Unmatched<Map, Pattern>}`[];

/** The patterns that can match no topic of the map. */
type Unmatched<Map extends TopicMap, Pattern extends string | readonly string[]> = Pattern extends readonly (infer One extends string)[]
  ? UnmatchedOne<Map, One>
  : Pattern extends string
    ? UnmatchedOne<Map, Pattern>
    : never;

/** Distributes over a union of patterns. */
type UnmatchedOne<Map extends TopicMap, Pattern extends string> = Pattern extends string
  ? [KeysMatching<Map, Pattern>] extends [never]
    ? Pattern
    : never
  : never;
