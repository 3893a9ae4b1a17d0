/**
 * How long a copy waits, in how many passes. RabbitMQ expires messages at the head of a queue only, so all copies of one queue must wait equally
 * long: there is one queue for each of at most 64 delays, the classes, and they serve all groups of a namespace.
 *
 * A delay is rounded up to the next class, so nothing comes early by the broker's own clock, whatever the clocks of publisher and consumer say.
 * Up to 1,100 ms classes are 150 ms apart, above that 15 %: the rest of the stated lateness (250 ms or 20 %) is for the broker's work. What is longer
 * than the last class passes it several times.
 */

/** Most classes, and so most wait queues of a namespace. */
export const classesMax = 64;
const firstMs = 50;
const stepMs = 150;
const ratio = 1.15;

/** What the capabilities state: the rounding of the classes and the broker's own work. */
export const lateness = { ratio: 0.2, floorMs: 250 } as const;

/** Ascending, milliseconds. From 50 ms to about 46 minutes. */
export const delayClasses: readonly number[] = makeClasses();

function makeClasses(): readonly number[] {
  const classes = [firstMs];
  while (classes.length < classesMax) {
    const last = classes.at(-1) ?? firstMs;
    classes.push(Math.max(last + stepMs, readable(last * ratio)));
  }
  return classes;
}

/** Three digits: operators see these numbers as names of queues. Rounded down, so that no step is wider than the ratio. */
function readable(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 2);
  return Math.floor(value / unit) * unit;
}

/** The next pass of a copy that is to wait for `delayMs`. */
export interface Pass {
  readonly classMs: number;
  /** What is left to wait after this pass; 0: it is the last. */
  readonly restMs: number;
}

/** `delayMs` above 0. */
export function passFor(delayMs: number): Pass {
  const lastMs = delayClasses.at(-1) ?? firstMs;
  if (delayMs > lastMs) return { classMs: lastMs, restMs: delayMs - lastMs };
  return { classMs: delayClasses.find((classMs) => classMs >= delayMs) ?? lastMs, restMs: 0 };
}
