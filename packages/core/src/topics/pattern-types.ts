/**
 * Whether two patterns have a topic in common, computed by the compiler: this is what makes a wildcard subscription know its payloads.
 *
 * The rules are AMQP's (`*` is one word, `#` zero or more, anywhere), worked off word by word with template-literal types. Two patterns meet if
 * their first words can be the same word and the rest meets; `#` may also be nothing, or swallow the other side's first word. That branches only where
 * a `#` stands before other words, so 200 keys × 50 subscriptions stay far below a second (guarded by a test). Lists of words as tuples were the road not
 * taken: splitting each text first costs more instantiations than reading it in place.
 */

/** `true` where some topic is matched by both patterns. A topic is a pattern without wildcards. Both sides must be single literals. */
export type PatternsMeet<A extends string, B extends string> = A extends "#"
  ? true
  : B extends "#"
    ? true
    : A extends `${infer HeadA}.${infer RestA}`
      ? HeadA extends "#"
        ? HashMeets<A, RestA, B>
        : B extends `${infer HeadB}.${infer RestB}`
          ? HeadB extends "#"
            ? HashMeets<B, RestB, A>
            : WordsMeet<HeadA, HeadB> extends true
              ? PatternsMeet<RestA, RestB>
              : false
          : WordsMeet<HeadA, B> extends true
            ? IsOnlyHashes<RestA>
            : false
      : B extends `${infer HeadB}.${infer RestB}`
        ? HeadB extends "#"
          ? HashMeets<B, RestB, A>
          : WordsMeet<A, HeadB> extends true
            ? IsOnlyHashes<RestB>
            : false
        : WordsMeet<A, B>;

/** `Whole` is `#.` and `Rest`: the `#` is nothing, or it swallows the first word of the other side and stays. */
type HashMeets<Whole extends string, Rest extends string, Other extends string> =
  PatternsMeet<Rest, Other> extends true ? true : Other extends `${string}.${infer OtherRest}` ? PatternsMeet<Whole, OtherRest> : IsOnlyHashes<Rest>;

type WordsMeet<A extends string, B extends string> = A extends B ? true : A extends "*" ? true : B extends "*" ? true : false;

/** Only `#` can also be no word at all. */
type IsOnlyHashes<Text extends string> = Text extends "#" ? true : Text extends `#.${infer Rest}` ? IsOnlyHashes<Rest> : false;

/**
 * The text with everything that is known only at run time turned into `#`: `string` becomes `#`, `` `task.${string}` `` becomes `task.#`. It matches
 * whatever the text can turn out to be, so a payload type is never too narrow.
 */
export type AsLiteralPattern<Text extends string> =
  IsLiteral<Text> extends true ? Text : Text extends `${infer Head}.${infer Rest}` ? `${LiteralWord<Head>}.${AsLiteralPattern<Rest>}` : LiteralWord<Text>;

type LiteralWord<Word extends string> = IsLiteral<Word> extends true ? Word : "#";

/** A record over `string` or over a template demands no property at all, one over a literal demands that one. */
type IsLiteral<Text extends string> = Record<never, never> extends Record<Text, 1> ? false : true;
