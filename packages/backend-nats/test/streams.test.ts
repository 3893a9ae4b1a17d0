import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { describe, expect, it } from "vitest";
import { topologyOf } from "../src/names.ts";
import { settingsOf } from "../src/options.ts";
import { compare, wantedStreams } from "../src/streams.ts";

const { topics, inbox } = wantedStreams(topologyOf("shop"), settingsOf({}));
const found = (fields: Partial<StreamConfig> = {}, wanted: Partial<StreamConfig> = topics): StreamConfig =>
  ({ max_age: 0, max_msgs: -1, max_bytes: -1, max_msgs_per_subject: -1, max_msg_size: -1, ...wanted, ...fields }) as StreamConfig; // what a server returns has all fields

describe("streams", () => {
  it("are made so that nothing unhandled is dropped", () => {
    expect(topics).toMatchObject({
      name: "shop",
      subjects: ["shop.>"],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      storage: StorageType.File,
    });
    expect(inbox).toMatchObject({ name: "shop_inbox", subjects: ["shop_inbox.>"], retention: RetentionPolicy.Workqueue, allow_rollup_hdrs: true });
  });

  it("that are as wanted need no word", () => {
    expect(compare(topics, found())).toEqual([]);
  });

  it("that would break a promise are refused, and the field is named", () => {
    const broken: Partial<StreamConfig>[] = [
      { subjects: ["shop.a"] },
      { retention: RetentionPolicy.Workqueue },
      { discard: DiscardPolicy.Old, max_bytes: 1_000 },
      { sealed: true },
      { no_ack: true },
      { deny_delete: true },
      { max_msgs_per_subject: 1 },
      { max_age: 1_000_000_000 },
      { duplicate_window: 0 },
      { subject_transform: { src: "shop.a", dest: "shop.b" } },
      { consumer_limits: { inactive_threshold: 60_000_000_000 } },
    ];
    for (const fields of broken) {
      const [field = ""] = Object.keys(fields);
      expect(() => compare(topics, found(fields)), field).toThrow(
        expect.objectContaining({ code: "INVALID_OPTIONS", message: expect.stringContaining(field) }),
      );
    }
    expect(() => compare(inbox, found({ allow_rollup_hdrs: false }, inbox))).toThrow(/allow_rollup_hdrs/);
  });

  it("that are merely other than the options are told about", () => {
    expect(compare(topics, found({ num_replicas: 3 }))).toEqual([expect.stringContaining("num_replicas is 3")]);
    expect(compare(topics, found({ storage: StorageType.Memory }))).toEqual([expect.stringContaining("storage")]);
    expect(compare(topics, found({ max_msg_size: 100 }))).toEqual([expect.stringContaining("max_msg_size")]);
    expect(compare(topics, found({ max_consumers: 10 }))).toEqual([expect.stringContaining("max_consumers is 10")]);
    expect(compare(topics, found({ max_consumers: -1, consumer_limits: {} }))).toEqual([]);
  });
});
