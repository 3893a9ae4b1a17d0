/** The ACL rule of the README, word by word; the suites run under it. */
export function leastPrivileges(keyPrefix: string): string {
  const commands = [
    "xadd xreadgroup xack xdel xlen xrange xtrim xpending xclaim xgroup|create xgroup|destroy xgroup|delconsumer xinfo|groups",
    "hget hset hdel hgetall hmget hlen hexists zadd zrem zcard zrange zrangebyscore sadd smembers get set del unlink exists pexpire",
    "publish subscribe unsubscribe pubsub|numsub",
    "eval evalsha script|load time wait info config|get auth ping client|id client|setname client|unblock",
  ];
  const rules = commands
    .join(" ")
    .split(" ")
    .map((name) => `+${name}`);
  return `resetchannels ~${keyPrefix}* &${keyPrefix}* -@all ${rules.join(" ")}`;
}
