/**
 * Finds the schemas of a topic and asks them. The common case, one synchronous schema for a topic seen before, is one look-up and one call; a promise is
 * only made where a schema made one.
 */
import { HalyardError } from "../errors.ts";
import type { TopicPattern } from "../pattern.ts";
import type { StandardIssue, StandardResult, StandardSchemaV1 } from "./standard-schema.ts";

export interface TopicEntry {
  readonly pattern: TopicPattern;
  readonly schema: StandardSchemaV1;
}

/** Topics whose schemas are remembered; a bus with more distinct topics pays for matching again now and then. */
const cachedTopicsMax = 10_000;
/** A payload can have thousands of faults; an error shows the first ones. */
const issuesMax = 20;
const issuesInMessageMax = 3;

export class TopicSchemas {
  readonly #entries: readonly TopicEntry[];
  readonly #cache = new Map<string, readonly StandardSchemaV1[]>();

  constructor(entries: readonly TopicEntry[]) {
    this.#entries = [...entries].sort((a, b) => vagueness(a.pattern) - vagueness(b.pattern));
  }

  /**
   * The payload as the first matching schema that accepts it returns it, the most specific asked first; as it is where no key matches the topic.
   * A promise only where a schema answers with one. Throws, or rejects, with INVALID_PAYLOAD.
   */
  validate(topic: string, payload: unknown): unknown {
    const schemas = this.#schemasOf(topic);
    let refusal: readonly StandardIssue[] | undefined;
    for (let index = 0; index < schemas.length; index++) {
      const result = ask(schemas[index] as StandardSchemaV1, topic, payload);
      if (result instanceof Promise) return this.#validateLater(topic, payload, schemas, index, result, refusal);
      if (result.issues === undefined) return result.value;
      refusal ??= result.issues;
    }
    if (refusal === undefined) return payload;
    throw invalidPayload(topic, refusal);
  }

  async #validateLater(
    topic: string,
    payload: unknown,
    schemas: readonly StandardSchemaV1[],
    from: number,
    first: Promise<StandardResult<unknown>>,
    refusedBefore: readonly StandardIssue[] | undefined,
  ): Promise<unknown> {
    let refusal = refusedBefore;
    for (let index = from; index < schemas.length; index++) {
      const asked = index === from ? first : ask(schemas[index] as StandardSchemaV1, topic, payload);
      const result = await Promise.resolve(asked).catch((error: unknown) => Promise.reject(schemaFailed(topic, error)));
      if (result.issues === undefined) return result.value;
      refusal ??= result.issues;
    }
    throw invalidPayload(topic, refusal ?? []);
  }

  #schemasOf(topic: string): readonly StandardSchemaV1[] {
    const known = this.#cache.get(topic);
    if (known !== undefined) return known;
    const schemas = this.#entries.filter(({ pattern }) => pattern.matches(topic)).map(({ schema }) => schema);
    const [oldest] = this.#cache.size < cachedTopicsMax ? [] : this.#cache.keys();
    if (oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(topic, schemas);
    return schemas;
  }
}

/**
 * Before encoding: returns the payload as it was given, once its schema accepts it. The wire carries a schema's input, so that the receiver can apply
 * the schema in turn (`z.string().transform(Number)` could not read its own output).
 * Throws, or rejects where a schema is asynchronous, with INVALID_PAYLOAD.
 */
export function validateToPublish(schemas: TopicSchemas | undefined, topic: string, payload: unknown): unknown {
  const validated = schemas?.validate(topic, payload);
  return validated instanceof Promise ? validated.then(() => payload) : payload;
}

/** After decoding: returns what the schema makes of the payload. Throws, or rejects where a schema is asynchronous, with INVALID_PAYLOAD. */
export function validateReceived(schemas: TopicSchemas | undefined, topic: string, payload: unknown): unknown {
  return schemas === undefined ? payload : schemas.validate(topic, payload);
}

/** `#` is vaguer than any number of `*`; among equals the key with more words says more. */
function vagueness(pattern: TopicPattern): number {
  let value = 0;
  for (const word of pattern.words) value += word === "#" ? 10_000 : word === "*" ? 100 : -1;
  return value;
}

function ask(schema: StandardSchemaV1, topic: string, payload: unknown): StandardResult<unknown> | Promise<StandardResult<unknown>> {
  try {
    return schema["~standard"].validate(payload);
  } catch (error) {
    throw schemaFailed(topic, error);
  }
}

function schemaFailed(topic: string, cause: unknown): HalyardError {
  const text = cause instanceof Error ? cause.message : typeof cause;
  return new HalyardError("INVALID_PAYLOAD", `The schema of topic ${topic} failed instead of answering: ${text}`, { cause, details: { topic, issues: [] } });
}

function invalidPayload(topic: string, found: readonly StandardIssue[]): HalyardError {
  const issues = found.slice(0, issuesMax).map(({ message, path = [] }) => ({ message, path: path.map(pathText).join(".") }));
  const shownIssues = issues.slice(0, issuesInMessageMax).map(({ message, path }) => (path === "" ? message : `${path}: ${message}`));
  const more = found.length > issuesInMessageMax ? `; and ${found.length - issuesInMessageMax} more` : "";
  const text = `The payload does not fit the schema of topic ${topic}: ${shownIssues.join("; ")}${more}`;
  return new HalyardError("INVALID_PAYLOAD", text, { details: { topic, issues } });
}

function pathText(segment: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof segment === "object" ? segment.key : segment);
}
