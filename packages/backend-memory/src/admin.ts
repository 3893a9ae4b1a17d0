/** The control plane: what the hub holds, and groups. */
import type { Admin, GroupInfo } from "@halyard/core/spi";
import { assertAlive } from "./dead-letter-walk.ts";
import { noRoomError } from "./hub/publish.ts";
import type { HubDriver } from "./hub-driver.ts";

export function adminOf(driver: HubDriver, ended: AbortSignal): Admin {
  const { hub } = driver;
  return {
    async ping(signal) {
      assertAlive(signal, ended);
      const reason = driver.apply("probe", {});
      if (reason !== undefined) throw noRoomError(reason);
    },
    async warnings(signal) {
      assertAlive(signal, ended);
      return [];
    },
    async defineGroup(name, { add, drop }, signal) {
      assertAlive(signal, ended);
      driver.apply("defineGroup", { name, add, drop });
    },
    async removeGroup(name, signal) {
      assertAlive(signal, ended);
      driver.apply("removeGroup", { name });
    },
    async purgeGroup(name, signal) {
      assertAlive(signal, ended);
      return driver.apply("purgeGroup", { name });
    },
    async group(name, signal) {
      assertAlive(signal, ended);
      return hub.group(name);
    },
    async groups(signal) {
      assertAlive(signal, ended);
      const infos: GroupInfo[] = [];
      for (const name of hub.groupNames()) {
        const info = hub.group(name);
        if (info !== undefined) infos.push(info);
      }
      return infos;
    },
    async topics(signal) {
      assertAlive(signal, ended);
      return hub.history?.countsByTopic();
    },
  };
}
