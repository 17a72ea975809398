import { AwsV4Signer } from "aws4fetch";

/**
 * Signature version 4 for S3, in the browser. The secret key becomes a key of WebCrypto that signs and cannot be read back, not by this
 * page either; the string is not kept.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
export interface Credentials {
  readonly accessKey: string;
  readonly key: CryptoKey;
  readonly region: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HMAC = { name: "HMAC", hash: "SHA-256" };
const text = new TextEncoder();

/** Raises an error where the page is reached neither by https nor on this machine: browsers have no WebCrypto there. */
export async function importKey(secretKey: string): Promise<CryptoKey> {
  if (!globalThis.crypto?.subtle) throw new Error("Browsers sign requests only on pages that are reached by https.");
  return hmacKey(text.encode(`AWS4${secretKey}`));
}

function hmacKey(bytes: BufferSource): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, HMAC, false, ["sign"]);
}

/** Signs requests without a body. */
export class Signer {
  readonly credentials: Credentials;
  private readonly keys = new Map<string, Promise<CryptoKey>>();

  constructor(credentials: Credentials) {
    this.credentials = credentials;
  }

  /** The headers to send. `url` must be encoded as it is to be sent. */
  async headers(method: string, url: URL, headers: Readonly<Record<string, string>> = {}): Promise<Record<string, string>> {
    const signer = this.signer(method, url, { headers: { ...headers, "x-amz-content-sha256": EMPTY_SHA256 } });
    return Object.fromEntries((await signer.sign()).headers);
  }

  /** A URL that anybody may use for `seconds`. */
  async presign(method: string, url: URL, seconds: number): Promise<string> {
    const expiring = new URL(url);
    expiring.searchParams.set("X-Amz-Expires", String(seconds));
    const signer = this.signer(method, expiring, { signQuery: true });
    // Put together by hand: `searchParams` would write spaces as `+`, which not every server reads as signed.
    return `${url.origin}${url.pathname}?${signer.encodedSearch}&X-Amz-Signature=${await signer.signature()}`;
  }

  private signer(method: string, url: URL, options: { headers?: Record<string, string>; signQuery?: boolean }): KeySigner {
    const { accessKey, region, sessionToken } = this.credentials;
    return new KeySigner(
      {
        method,
        url: url.href,
        accessKeyId: accessKey,
        secretAccessKey: "",
        region,
        service: "s3",
        ...options,
        ...(sessionToken && { sessionToken }),
      },
      (date) => this.signingKey(date),
    );
  }

  private signingKey(date: string): Promise<CryptoKey> {
    const known = this.keys.get(date);
    if (known) return known;
    const made = derive(this.credentials.key, [date, this.credentials.region, "s3", "aws4_request"]);
    this.keys.set(date, made);
    return made;
  }
}

async function derive(key: CryptoKey, scope: readonly string[]): Promise<CryptoKey> {
  let derived = key;
  for (const part of scope) derived = await hmacKey(await crypto.subtle.sign("HMAC", derived, text.encode(part)));
  return derived;
}

/** aws4fetch's signer, which otherwise asks for the secret itself. */
class KeySigner extends AwsV4Signer {
  private readonly signingKey: (date: string) => Promise<CryptoKey>;

  constructor(options: ConstructorParameters<typeof AwsV4Signer>[0], signingKey: (date: string) => Promise<CryptoKey>) {
    super(options);
    this.signingKey = signingKey;
  }

  override async signature(): Promise<string> {
    const key = await this.signingKey(this.datetime.slice(0, 8));
    const signed = new Uint8Array(await crypto.subtle.sign("HMAC", key, text.encode(await this.stringToSign())));
    return Array.from(signed, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}
