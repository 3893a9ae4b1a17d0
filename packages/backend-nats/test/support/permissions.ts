/** What a user of a bus needs, as the README lists it. */
export function leastPrivileges(subjectPrefix: string, inboxPrefix: string): { readonly publish: readonly string[]; readonly subscribe: readonly string[] } {
  return {
    publish: [
      `${subjectPrefix}.>`,
      `${inboxPrefix}.>`,
      "$JS.ACK.>",
      "$JS.API.STREAM.INFO.*",
      "$JS.API.STREAM.CREATE.*",
      "$JS.API.STREAM.PURGE.*",
      "$JS.API.STREAM.MSG.GET.*",
      "$JS.API.STREAM.MSG.DELETE.*",
      "$JS.API.CONSUMER.CREATE.>",
      "$JS.API.CONSUMER.DURABLE.CREATE.>",
      "$JS.API.CONSUMER.INFO.>",
      "$JS.API.CONSUMER.LIST.*",
      "$JS.API.CONSUMER.DELETE.>",
      "$JS.API.CONSUMER.MSG.NEXT.>",
    ],
    subscribe: [`${subjectPrefix}.>`, `${inboxPrefix}.>`],
  };
}
