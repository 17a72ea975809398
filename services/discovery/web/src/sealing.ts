import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from "@hpke/core";
import { api } from "./api.ts";

/**
 * Secrets between this page and the metadata service, unreadable to whatever passes them on: HPKE (RFC 9180), as
 * `domicile_common/sealing.py` has it. `owner`: whose secret it is, `backend:<id>` or `credential:<access key>`; it opens for that only.
 */
const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const FORMAT = "h1";
const POINT = 65; // bytes of an uncompressed point, which stands before the ciphertext
const text = new TextEncoder();

export interface HandoverKey {
  readonly key_id: string;
  readonly public_key: string;
}

/** The envelope that metadata takes in place of a secret. */
export async function handOver(secret: string, owner: string): Promise<string> {
  return sealFor(await api.get<HandoverKey>("/api/handover"), secret, owner);
}

export async function sealFor(key: HandoverKey, secret: string, owner: string): Promise<string> {
  const recipientPublicKey = await suite.kem.deserializePublicKey(decode(key.public_key));
  const { enc, ct } = await suite.seal({ recipientPublicKey, info: info(owner) }, text.encode(secret));
  return `${FORMAT}.${key.key_id}.${encode(new Uint8Array([...new Uint8Array(enc), ...new Uint8Array(ct)]))}`;
}

/** A key pair for one answer: `seal_to` goes into the request, `open` reads what comes back sealed. */
export async function makeReceiver(): Promise<{ seal_to: string; open: (sealed: string, owner: string) => Promise<string> }> {
  const { publicKey, privateKey } = await suite.kem.generateKeyPair();
  return {
    seal_to: encode(new Uint8Array(await suite.kem.serializePublicKey(publicKey))),
    async open(sealed, owner) {
      const bytes = decode(sealed);
      const sent = { recipientKey: privateKey, enc: bytes.slice(0, POINT), info: info(owner) };
      return new TextDecoder().decode(await suite.open(sent, bytes.slice(POINT)));
    },
  };
}

/**
 * Asks for something that has a secret, which comes sealed to this tab: neither this service nor what is in between can read it.
 * `sealed`: where in the answer it stands, and whose it is.
 */
export async function issue<Made>(
  path: string,
  asked: object,
  sealed: (made: Made) => { readonly secret: string; readonly owner: string },
): Promise<{ readonly made: Made; readonly secret: string }> {
  const { seal_to, open } = await makeReceiver();
  const made = await api.post<Made>(path, { ...asked, seal_to });
  const { secret, owner } = sealed(made);
  return { made, secret: await open(secret, owner) };
}

function info(owner: string): Uint8Array {
  return text.encode(`domicile ${FORMAT} ${owner}`);
}

/** base64url without padding. */
function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function decode(sealed: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(sealed.replaceAll("-", "+").replaceAll("_", "/")), (it) => it.charCodeAt(0));
}
