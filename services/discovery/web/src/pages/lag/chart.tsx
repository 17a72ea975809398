import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { History } from "../../admin.ts";
import "uplot/dist/uPlot.min.css";
import { theme } from "../../theme.ts";
import "./chart.css";
import { formatTime } from "../../format.ts";
import { type Measure, type Series, seriesOf } from "./series.ts";

const HEIGHT = 320; // pixels
const SHORTEST = 900; // seconds that the chart shows at least
const COLOURS = ["#3b7dd8", "#d9822b", "#3f9c5c", "#b85cc4", "#c8433b", "#13928f", "#8a7a2c", "#7a6ff0"];

const darkness = matchMedia("(prefers-color-scheme: dark)");

interface Props {
  readonly history: History;
  readonly measure: Measure;
  readonly hours: number;
  readonly title: string;
  readonly format: (value: number) => string;
}

/** What it shows is also said in words, for those who cannot see it. */
export function Chart({ history, measure, hours, title, format }: Props) {
  const { times, lines } = useMemo(() => seriesOf(history, measure), [history, measure]);
  const place = useRef<HTMLDivElement>(null);
  const scheme = useScheme();
  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const plot = new uPlot(
      optionsOf(element, { times, lines, hours, format }),
      [[...times], ...lines.map((it) => [...it.values])],
      element,
    );
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [times, lines, hours, format, scheme]);
  const told = lines.map((it) => `${it.name} at most ${format(Math.max(0, ...it.values.map((value) => value ?? 0)))}`);
  return <div ref={place} class="chart" role="img" aria-label={`${title}: ${told.join(", ")}`} />;
}

/** Changes when the colours do. */
function useScheme(): string {
  const [isDark, setDark] = useState(darkness.matches);
  useEffect(() => {
    const look = () => setDark(darkness.matches);
    darkness.addEventListener("change", look);
    return () => darkness.removeEventListener("change", look);
  }, []);
  return `${theme.value} ${isDark}`;
}

function optionsOf(
  element: HTMLElement,
  { times, lines, hours, format }: Series & Pick<Props, "hours" | "format">,
): uPlot.Options {
  const colours = getComputedStyle(element);
  const grid = { stroke: colours.borderTopColor, width: 1 };
  const axis = { stroke: colours.color, grid, ticks: grid, font: `12px ${colours.fontFamily}` };
  const now = Date.now() / 1000;
  const first = Math.max(now - hours * 3600, Math.min(times[0] ?? now, now - SHORTEST)); // not the time before anything was measured
  return {
    width: element.clientWidth,
    height: HEIGHT,
    scales: { x: { range: [first, now] }, y: { range: (_, __, most) => [0, Math.max(most, 1)] } },
    axes: [
      { ...axis, values: formatMoments },
      { ...axis, size: 90, values: (_, splits) => splits.map((it) => (it % 1 ? "" : format(it))) },
    ],
    series: [
      { label: "Time", value: (_: uPlot, seconds: number | null) => (seconds === null ? "–" : formatTime(seconds * 1000)) },
      ...lines.map((it, index) => ({
        label: it.name,
        stroke: COLOURS[index % COLOURS.length] as string,
        width: 2,
        value: (_: uPlot, value: number | null) => (value === null ? "–" : format(value)),
      })),
    ],
  };
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** The time of day, or the day where one begins. */
function formatMoments(_: uPlot, seconds: readonly number[]): string[] {
  return seconds.map((it) => {
    const told = clock.format(it * 1000);
    return told === "00:00" ? day.format(it * 1000) : told;
  });
}
