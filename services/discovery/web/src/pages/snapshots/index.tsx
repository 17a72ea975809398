import type { PageProps } from "../index.ts";
import { Comparison } from "./comparison.tsx";
import { All } from "./list.tsx";
import { Save } from "./new.tsx";
import { MovePlan } from "./plan.tsx";
import { One } from "./view.tsx";
import "./snapshots.css";

export default function Snapshots({ route }: PageProps) {
  const [first, second] = route.path;
  if (first === undefined) return <All />;
  if (first === "new") return <Save given={route.query} />;
  if (first === "diff") return <Comparison before={route.query.before ?? ""} after={route.query.after ?? ""} />;
  if (second === "plan") return <MovePlan id={first} query={route.query} />;
  return <One key={first} id={first} />;
}
