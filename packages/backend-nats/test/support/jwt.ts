/** JSON web tokens as NATS wants them, made here instead of by `nsc`. https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt */
import { createHash } from "node:crypto";
import { nkeys } from "@nats-io/transport-node";

type KeyPair = ReturnType<typeof nkeys.createUser>;

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("base64url");
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function sign(subject: KeyPair, issuer: KeyPair, name: string, claims: object): string {
  const body = { iat: Math.floor(Date.now() / 1_000), iss: issuer.getPublicKey(), name, sub: subject.getPublicKey(), nats: { version: 2, ...claims } };
  const jti = createHash("sha256").update(JSON.stringify(body)).digest("hex");
  const head = `${base64(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" }))}.${base64(JSON.stringify({ ...body, jti }))}`;
  return `${head}.${base64(issuer.sign(new TextEncoder().encode(head)))}`;
}

/** A configuration with one account, and the credentials file of a user in it. */
export function operatorMode(): { readonly config: string; readonly credentials: string } {
  const [operator, system, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount(), nkeys.createUser()];
  const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const jetstream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const operatorJwt = sign(operator, operator, "operator", { type: "operator" });
  const accountJwt = sign(account, operator, "account", { type: "account", limits: { ...unlimited, ...jetstream }, default_permissions: { pub: {}, sub: {} } });
  const systemJwt = sign(system, operator, "system", { type: "account", limits: unlimited, default_permissions: { pub: {}, sub: {} } });
  const userJwt = sign(user, account, "user", { type: "user", pub: {}, sub: {}, subs: -1, data: -1, payload: -1 });
  const credentials = `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${text(user.getSeed())}\n------END USER NKEY SEED------\n`;
  const accounts = `{ ${system.getPublicKey()}: ${systemJwt}, ${account.getPublicKey()}: ${accountJwt} }`;
  return { config: `operator: ${operatorJwt}\nsystem_account: ${system.getPublicKey()}\nresolver: MEMORY\nresolver_preload: ${accounts}`, credentials };
}
