/**
 * Which rows of a long table are drawn. Browsers cap how high an element can be (Firefox at 17.8 million pixels, Chromium at 33.5): beyond
 * `TALLEST` the scroll bar runs over all rows in larger steps.
 */
export const ROW = 36; // pixels
const TALLEST = 15_000_000; // pixels
const SPARE = 6; // rows drawn above and below what is seen

export interface Window {
  readonly first: number;
  /** After the last one. */
  readonly end: number;
  /** Pixels from the top at which the first one is drawn. */
  readonly top: number;
  /** Of the whole, in pixels. */
  readonly height: number;
}

/** `scrolled` and `seen`: pixels that are scrolled away above, and that are seen. */
export function windowOf(count: number, scrolled: number, seen: number): Window {
  const whole = count * ROW;
  const height = Math.min(whole, TALLEST);
  const at = Math.max(0, Math.min(scrolled, height - seen));
  const pixel = height > seen ? (at / (height - seen)) * (whole - seen) : 0;
  const first = Math.max(0, Math.floor(pixel / ROW) - SPARE);
  const end = Math.min(count, Math.ceil((pixel + seen) / ROW) + SPARE);
  return { first, end, top: at - (pixel - first * ROW), height };
}
