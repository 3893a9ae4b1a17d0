import { describe, expect, it } from "vitest";
import { parseAckSubject, placeOf } from "../src/ack-subject.ts";

describe("the reply subject of a delivered message", () => {
  it("is read in both forms", () => {
    const expected = { deliveries: 2, sequence: 34, storedMs: 1_795_264_493_874 };
    expect(parseAckSubject("$JS.ACK.shop.workers.2.34.5.1795264493874000837.6")).toEqual(expected);
    expect(parseAckSubject("$JS.ACK.hub.ACCOUNT.shop.workers.2.34.5.1795264493874000837.6")).toEqual(expected);
    expect(parseAckSubject("$JS.ACK._.ACCOUNT.shop.workers.2.34.5.1795264493874000837.6.token")).toEqual(expected);
  });

  it("names stream and consumer", () => {
    expect(placeOf("$JS.ACK.shop.workers.2.34.5.1795264493874000837.6")).toEqual(["shop", "workers"]);
    expect(placeOf("$JS.ACK.hub.ACCOUNT.shop.workers+2.2.34.5.1795264493874000837.6")).toEqual(["shop", "workers+2"]);
  });

  it("is nothing where it is none", () => {
    for (const reply of ["", "_INBOX.abc", "$JS.ACK.shop", "$JS.ACK.a.b.c.d.e.f.g"]) expect(parseAckSubject(reply)).toBeUndefined();
  });
});
