/**
 * How quickly the broker answers batches, and whether it pays to wait for it. While batches are unanswered and answers come quickly, what follows waits
 * for the next answer: fewer and larger batches, where every call of a backend costs a system call at both ends. A slow broker (a confirm takes
 * milliseconds) is never waited for.
 */

/** Unanswered batches from which on the next one waits for an answer. */
const gatherFrom = 2;
/** Where answers take longer, nothing waits for them. */
const gatherMsMax = 3;
/** Part that the newest answer has in the average. */
const newestShare = 1 / 8;

export class AnswerPace {
  /** How long an answer takes, a moving average; slow until the first one. */
  #answerMs = gatherMsMax;

  answered(durationMs: number): void {
    this.#answerMs += (durationMs - this.#answerMs) * newestShare;
  }

  /** An answer did not come when it was waited for: nothing waits until answers are quick again. */
  overdue(): void {
    this.#answerMs = gatherMsMax;
  }

  /** Whether the next batch should wait for an answer. */
  isWorthWaiting(unanswered: number): boolean {
    return unanswered >= gatherFrom && this.#answerMs < gatherMsMax;
  }
}
