/**
 * 64 bits that stand for (topic, id). Two lanes of 32, each a bijective step per four characters with constants and rotations of its own, so that
 * ids which differ in one step only always differ, and a final mix of both. Seeded: nobody outside can prepare ids that collide. At a million
 * remembered ids the chance that a new one is taken for a repeat is 5 in 10^14.
 */
export interface TopicHash {
  readonly low: number;
  readonly high: number;
}

export class Fingerprints {
  readonly #seedLow: number;
  readonly #seedHigh: number;
  /** The last result; two fields instead of an object a message. */
  low = 0;
  high = 0;

  /** `random`: uniform in [0, 1). */
  constructor(random: () => number) {
    this.#seedLow = (random() * 2 ** 32) | 0;
    this.#seedHigh = (random() * 2 ** 32) | 0;
  }

  ofTopic(topic: string): TopicHash {
    this.#mix(topic, this.#seedLow, this.#seedHigh);
    return { low: this.low, high: this.high };
  }

  ofId(topic: TopicHash, id: string): void {
    this.#mix(id, topic.low, topic.high);
  }

  #mix(text: string, seedLow: number, seedHigh: number): void {
    const length = text.length;
    let low = seedLow ^ length;
    let high = seedHigh;
    let index = 0;
    // Ids and topics are ASCII: four characters of seven bits are one step.
    for (; index + 3 < length; index += 4) {
      const four = text.charCodeAt(index) ^ (text.charCodeAt(index + 1) << 7) ^ (text.charCodeAt(index + 2) << 14) ^ (text.charCodeAt(index + 3) << 21);
      low = Math.imul(low ^ four, 0x85ebca6b);
      low ^= low >>> 15;
      high = Math.imul(((high << 11) | (high >>> 21)) ^ four, 0xc2b2ae35);
    }
    for (; index < length; index++) {
      const one = text.charCodeAt(index);
      low = Math.imul(low ^ one, 0x85ebca6b);
      low ^= low >>> 15;
      high = Math.imul(((high << 11) | (high >>> 21)) ^ one, 0xc2b2ae35);
    }
    low = Math.imul(low ^ (high >>> 16), 0x2c1b3c6d);
    high = Math.imul(high ^ (low >>> 13), 0x297a2d39);
    this.low = (low ^ (high >>> 15)) | 0;
    this.high = (high ^ (low >>> 16)) | 0;
  }
}
