/** A column of texts as UTF-8, one after the other: a million of them take their bytes and four more each, and nothing for the collector to look through. */
export class Texts {
  private bytes = new Uint8Array(1 << 12);
  private ends = new Uint32Array(1 << 8);
  private count = 0;
  private readonly encoder = new TextEncoder();
  private readonly decoder = new TextDecoder();

  get length(): number {
    return this.count;
  }

  add(text: string): void {
    const start = this.start(this.count);
    const most = start + text.length * 3;
    if (most > this.bytes.length) this.bytes = enlarged(this.bytes, most);
    if (this.count === this.ends.length) this.ends = enlarged(this.ends, this.count + 1);
    this.ends[this.count++] = start + this.encoder.encodeInto(text, this.bytes.subarray(start)).written;
  }

  at(index: number): string {
    return this.decoder.decode(this.raw(index));
  }

  /** The UTF-8, not copied. */
  raw(index: number): Uint8Array {
    return this.bytes.subarray(this.start(index), this.ends[index]);
  }

  startsWith(index: number, prefix: Uint8Array): boolean {
    const start = this.start(index);
    return start + prefix.length <= (this.ends[index] as number) && this.isAt(start, prefix);
  }

  /** `part`: UTF-8, which begins within a text only where a letter does. */
  includes(index: number, part: Uint8Array): boolean {
    const last = (this.ends[index] as number) - part.length;
    for (let at = this.start(index); at <= last; at++) if (this.isAt(at, part)) return true;
    return false;
  }

  private isAt(start: number, part: Uint8Array): boolean {
    for (let at = 0; at < part.length; at++) if (this.bytes[start + at] !== part[at]) return false;
    return true;
  }

  private start(index: number): number {
    return index ? (this.ends[index - 1] as number) : 0;
  }
}

/** A larger copy: of at least `least` elements, and twice as many as before. */
export function enlarged<T extends Uint8Array | Uint32Array | Float64Array>(array: T, least: number): T {
  const larger = new (array.constructor as new (length: number) => T)(Math.max(least, array.length * 2));
  larger.set(array as never);
  return larger;
}
