/**
 * How one member's credit is shared between the sources that feed it: its topics' consumers and its inbox. Each source has one request open whenever
 * possible, so none starves; the rest goes where messages come, the inbox getting half at most.
 */
export interface Share {
  readonly outstanding: number;
  /** What it could take, judging by what came lately. */
  readonly demand: number;
  readonly isInbox: boolean;
}

/** How many messages to ask each source for, in the order given. `credit` is the whole, `free` what nobody holds or was asked for. */
export function shareOut(shares: readonly Share[], credit: number, free: number): readonly number[] {
  const asks = shares.map(() => 0);
  let rest = free;
  for (const [index, { outstanding }] of shares.entries()) {
    if (outstanding > 0 || rest <= 0) continue;
    asks[index] = 1;
    rest--;
  }
  // One stays reserved for each other source, so that one which wakes up finds room.
  const most = Math.max(1, credit - (shares.length - 1));
  for (const [index, { outstanding, demand, isInbox }] of shares.entries()) {
    const asked = asks[index] ?? 0;
    const target = Math.min(demand, isInbox ? Math.max(1, credit >> 1) : most);
    // Many small requests cost more than few larger ones: what is half full is left alone.
    if (outstanding + asked > target >> 1 && asked === 0) continue;
    const more = Math.min(rest, target - outstanding - asked);
    if (more <= 0) continue;
    asks[index] = asked + more;
    rest -= more;
  }
  return asks;
}
