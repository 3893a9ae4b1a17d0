/** Where the broker is and who we are: the URL, or the URLs of a cluster's nodes, and options beside them that say more. What contradicts is refused. */
import { agreed, assertNames, invalid, text, whole } from "./option-checks.ts";
import type { AmqpOptions, AmqpTls } from "./options.ts";
import { type ReadUrl, readUrl } from "./url.ts";

export interface Place {
  /** Tried in turn at each connecting, beginning with any: one where there is no cluster. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly vhost: string;
  readonly user: string;
  readonly password: string;
  /** `external`: the broker takes the user from our certificate. */
  readonly authMechanism: "plain" | "external";
  readonly tls: AmqpTls | undefined;
}

const knownTls: readonly (keyof AmqpTls)[] = ["ca", "cert", "key", "pfx", "passphrase", "servername"];
/** A cluster has a handful of nodes; more is a mistake. */
const urlsMax = 64;

export function urlsOf({ url, urls }: AmqpOptions): readonly ReadUrl[] {
  if (urls === undefined) return url === undefined ? [] : [readUrl(url)];
  if (url !== undefined) throw invalid("urls", "cannot be combined with url: give one of them");
  if (!Array.isArray(urls) || urls.length === 0 || urls.length > urlsMax) throw invalid("urls", `must be a list of 1 to ${urlsMax} URLs`);
  return urls.map((one) => readUrl(one));
}

export function placeOf(options: AmqpOptions, urls: readonly ReadUrl[]): Place {
  const tls = tlsOf(options.tls, urls);
  const authMechanism = agreed(
    "authMechanism",
    options.authMechanism as string | undefined,
    urls.map(({ parameters }) => parameters.authMechanism),
  );
  if (authMechanism !== undefined && authMechanism !== "plain" && authMechanism !== "external") throw invalid("authMechanism", 'must be "plain" or "external"');
  if (authMechanism === "external" && (tls?.cert === undefined || tls.key === undefined) && tls?.pfx === undefined)
    throw invalid("authMechanism", '"external" needs the certificate that says who we are: give tls.cert and tls.key, or tls.pfx');
  const said = (name: "vhost" | "user" | "password"): string | undefined =>
    agreed(
      name,
      options[name],
      urls.map((url) => url[name]),
    );
  return {
    nodes: nodesOf(options, urls, tls === undefined ? 5_672 : 5_671),
    vhost: text("vhost", said("vhost") ?? "/"),
    user: text("user", said("user") ?? "guest"),
    password: text("password", said("password") ?? "guest", true),
    authMechanism: authMechanism ?? "plain",
    tls,
  };
}

function nodesOf(options: AmqpOptions, urls: readonly ReadUrl[], portDefault: number): Place["nodes"] {
  if (options.urls !== undefined && options.host !== undefined) throw invalid("host", "cannot be combined with urls, which say all hosts");
  const [first] = urls;
  const host = text("host", agreed("host", options.host, options.urls === undefined ? [first?.host] : []) ?? "127.0.0.1");
  if (urls.length === 0) return [{ host, port: whole("port", options.port ?? portDefault, 1, 65_535) }];
  return urls.map((url) => ({
    host: options.host ?? url.host ?? host,
    port: whole("port", agreed("port", options.port, [url.port]) ?? portDefault, 1, 65_535),
  }));
}

function tlsOf(tls: AmqpOptions["tls"], urls: readonly ReadUrl[]): AmqpTls | undefined {
  const count = urls.filter(({ isTls }) => isTls).length;
  if (count > 0 && count < urls.length) throw invalid("urls", "must all begin with amqps: or all with amqp:");
  if (tls === false && count > 0) throw invalid("tls", "is false, and the url begins with amqps:");
  if (tls === undefined || tls === false) return count > 0 ? {} : undefined;
  if (tls === true) return {};
  if (typeof tls === "object" && tls !== null && ("rejectUnauthorized" in tls || "checkServerIdentity" in tls))
    throw invalid("tls", "verification cannot be switched off: give tls.ca the certificate of the authority that signed the broker's");
  assertNames("tls", tls, knownTls);
  return tls;
}
