/** Numbers, sizes and times as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const whole = new Intl.NumberFormat("en");
const moments = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const ago = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
const SPANS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const size = bytes / 2 ** (10 * power);
  return `${power && size < 100 ? size.toFixed(1) : whole.format(Math.round(size))} ${UNITS[power]}`;
}

export function formatCount(count: number): string {
  return whole.format(count);
}

/** Such as `99.9 %`, rounded down, so that only all of them are `100 %`; `–` of nothing. */
export function formatShare(part: number, of: number): string {
  return of ? `${Math.floor((part * 1000) / of) / 10} %` : "–";
}

/** Such as `1 bucket`, `2 buckets`. */
export function formatThings(count: number, thing: string, things = `${thing}s`): string {
  return `${formatCount(count)} ${count === 1 ? thing : things}`;
}

export function formatCopies(count: number): string {
  return formatThings(count, "copy", "copies");
}

/** `when`: RFC 3339, or milliseconds since 1970. In the reader's time zone. */
export function formatTime(when: string | number): string {
  const date = new Date(when);
  return Number.isNaN(date.getTime()) ? String(when) : moments.format(date);
}

export function formatAgo(when: string | number, now: number = Date.now()): string {
  return formatSpan((new Date(when).getTime() - now) / 1000);
}

/** `seconds` from now; before now when negative. */
function formatSpan(seconds: number): string {
  const [unit, length] = SPANS.find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
  return ago.format(Math.round(seconds / length), unit);
}

/** Such as `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  const parts = (
    [
      ["d", 86_400],
      ["h", 3_600],
      ["min", 60],
      ["s", 1],
    ] as const
  ).reduce(
    ({ left, told }, [unit, length]) => {
      const count = Math.floor(left / length);
      return { left: left - count * length, told: count ? [...told, `${count} ${unit}`] : told };
    },
    { left: Math.round(seconds), told: [] as string[] },
  ).told;
  return parts.slice(0, 2).join(" ") || "0 s";
}
