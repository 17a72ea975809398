import { link } from "../../router.ts";
import type { PageProps } from "../index.ts";
import { Dropped } from "./dropped.tsx";
import { Findings } from "./findings.tsx";
import { JobList } from "./jobs.tsx";
import { TaskList } from "./tasks.tsx";

const PARTS = { jobs: "Jobs", tasks: "Long tasks", findings: "Findings", dropped: "Given up" } as const;
type Part = keyof typeof PARTS;

export default function Work({ route }: PageProps) {
  const part: Part = Object.hasOwn(PARTS, route.path[0] ?? "") ? (route.path[0] as Part) : "jobs";
  return (
    <>
      <h1>Work</h1>
      <nav aria-label="Kinds of work" class="actions">
        {Object.entries(PARTS).map(([name, title]) => (
          <a key={name} class="button" href={link("owed", [name])} {...(name === part && { "aria-current": "page" as const })}>
            {title}
          </a>
        ))}
      </nav>
      {part === "jobs" && <JobList query={route.query} />}
      {part === "tasks" && <TaskList />}
      {part === "findings" && <Findings />}
      {part === "dropped" && <Dropped />}
    </>
  );
}
