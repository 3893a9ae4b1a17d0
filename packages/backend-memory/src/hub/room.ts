/** The bound over everything that waits, is delayed, in flight or dead in one hub: copies and bytes. */
export interface RoomLimits {
  readonly messagesMax: number;
  readonly bytesMax: number;
}

export class Room {
  readonly limits: RoomLimits;
  messages = 0;
  bytes = 0;

  constructor(limits: RoomLimits) {
    this.limits = limits;
  }

  has(copies: number, bytesEach: number): boolean {
    // What nobody gets needs no room, even where moved copies that have grown went beyond the bound.
    return copies === 0 || (this.messages + copies <= this.limits.messagesMax && this.bytes + copies * bytesEach <= this.limits.bytesMax);
  }

  add(bytes: number): void {
    this.messages++;
    this.bytes += bytes;
  }

  remove(bytes: number): void {
    this.messages--;
    this.bytes -= bytes;
  }

  /** Which bound a message runs into, as a sentence for people. */
  describe(copies: number, bytesEach: number): string {
    const { messagesMax, bytesMax } = this.limits;
    if (this.messages + copies > messagesMax) return `the hub holds ${this.messages} messages of at most ${messagesMax} (option messagesMax of memory())`;
    return `the hub holds ${this.bytes} bytes of at most ${bytesMax}, and ${copies} × ${bytesEach} more do not fit (option bytesMax of memory())`;
  }
}
