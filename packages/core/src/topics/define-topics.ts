/** Typed topics: one map from patterns to schemas types publish and subscribe, and checks payloads at run time. */
import { HalyardError } from "../errors.ts";
import { parsePattern } from "../pattern.ts";
import { shown } from "../topic.ts";
import type { StandardSchemaV1 } from "./standard-schema.ts";
import type { TopicMap } from "./topic-map.ts";
import { type TopicEntry, TopicSchemas } from "./topic-schemas.ts";

/** A topic map, ready for `createBus({ topics })`. */
export interface Topics<Map extends TopicMap = TopicMap> {
  /** As it was given. */
  readonly map: Map;
  readonly schemas: TopicSchemas;
}

/**
 * States which payloads travel on which topics. A key is a topic or a pattern; a value is any Standard Schema (zod, valibot, arktype) or `type<Payload>()`,
 * which only types. A topic that several keys match may carry what any of them accepts, so a key like `"#"` loosens all others.
 *
 * What is published must be valid and travels as it was given; what arrives is validated again, and the handler gets the schema's output, with its
 * defaults and transformations. Topics that no key matches are a type error; at run time they are not checked.
 *
 * @throws INVALID_PATTERN, INVALID_OPTIONS
 * @example
 * const topics = defineTopics({
 *   "task.submitted.*": z.object({ id: z.string() }),
 *   "agent.#": type<{ agent: string }>(),
 * });
 */
export function defineTopics<const Map extends TopicMap>(map: Map): Topics<Map> {
  const entries = Object.entries(map).map(([key, schema]): TopicEntry => ({ pattern: parsePattern(key), schema: checkedSchema(key, schema) }));
  return { map, schemas: new TopicSchemas(entries) };
}

/** A schema that types and checks nothing: for payloads that are trusted, or checked elsewhere. */
export function type<Payload>(): StandardSchemaV1<Payload> {
  return { "~standard": { version: 1, vendor: "halyard", validate: asItIs<Payload> } };
}

const asItIs = <Payload>(value: unknown): { readonly value: Payload } => ({ value: value as Payload });

/** arktype's schemas are functions with properties, the others' are objects. */
function checkedSchema(key: string, schema: unknown): StandardSchemaV1 {
  const isHolder = (typeof schema === "object" && schema !== null) || typeof schema === "function";
  const standard: unknown = isHolder && "~standard" in schema ? schema["~standard"] : undefined;
  const isSchema = typeof standard === "object" && standard !== null && "validate" in standard && typeof standard.validate === "function";
  if (isSchema) return schema as StandardSchemaV1;
  throw new HalyardError(
    "INVALID_OPTIONS",
    `The topic map has no schema for ${shown(key)}: give a Standard Schema (zod ≥ 3.24, valibot ≥ 1, arktype ≥ 2) or type<Payload>().`,
  );
}
