import { FEATURES, loadCatalogue, type Provider } from "../../catalogue.ts";
import { Badge, Copy, Empty, Load } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { Source } from "../catalogue/facts.tsx";
import type { PageProps } from "../index.ts";
import { QuestionForm } from "./form.tsx";
import { Place } from "./place.tsx";
import { asArguments, type Question, questionOf, textsOf } from "./question.ts";
import {
  type Candidate,
  type Placement,
  type Ranking,
  rank,
  type Standing,
  shortened,
  standing,
  type Verdict,
} from "./ranking.ts";
import "./sovereignty.css";

export default function Sovereignty({ route }: PageProps) {
  const question = questionOf(route.query);
  const asked = Object.keys(route.query).length > 0;
  return (
    <>
      <h1>Where may it live?</h1>
      <p class="lead">Say what your data needs, and see which places would satisfy it, and why the others would not.</p>
      <div class="asking">
        <QuestionForm
          key={JSON.stringify(question)}
          question={question}
          action="Rank places"
          onAsk={(it) => go(link("sovereignty", [], textsOf(it)))}
        />
        {asked ? (
          <Answer question={question} />
        ) : (
          <Empty title="Nothing has been asked yet.">
            <a href={link("sovereignty", [], { where: "EU", law: "EU", copies: "2", spread: "country" })}>
              Two copies in two countries of the EU, under its laws alone
            </a>
          </Empty>
        )}
      </div>
    </>
  );
}

function Answer({ question }: { question: Question }) {
  const ranking = useResource((signal) => rank(question, signal), [JSON.stringify(question)]);
  const catalogue = useResource(loadCatalogue);
  return (
    <section aria-labelledby="answer">
      <h2 id="answer">The answer</h2>
      <Load resource={ranking} what="Ranking">
        {(found) => <Found ranking={found} question={question} providers={catalogue.data ?? []} />}
      </Load>
    </section>
  );
}

function Found({ ranking, question, providers }: { ranking: Ranking; question: Question; providers: readonly Provider[] }) {
  const known = new Map(ranking.verdicts.map((it) => [it.candidate.id, it.candidate]));
  const line = `domicile sovereignty check ${asArguments(question)}`;
  return (
    <>
      {ranking.refusal !== null ? (
        <Empty title="No set of places satisfies this.">
          <p>{shortened(ranking.refusal)}</p>
        </Empty>
      ) : (
        <>
          <p role="status">
            A write would go to{" "}
            {ranking.chosen.map((id, at) => (
              <span key={id}>
                {at > 0 && " and "}
                <Place id={id} />
              </span>
            ))}
            .
          </p>
          <p>
            These would satisfy it, best first. More countries are better, then more providers, fewer jurisdictions, more
            features, then your order.{" "}
            {!ranking.complete && "There are too many ways to combine all places: a choice of them was compared."}
          </p>
          <ol class="placements">
            {ranking.placements.map((it) => (
              <Ranked key={it.ids.join()} placement={it} known={known} />
            ))}
          </ol>
        </>
      )}
      <h2>Place by place</h2>
      {(["in", "unknown", "out"] as const).map((it) => (
        <Group
          key={it}
          standing={it}
          verdicts={ranking.verdicts.filter((verdict) => standing(verdict) === it)}
          providers={providers}
        />
      ))}
      <h2>The same from a shell</h2>
      <Copy text={line} />
    </>
  );
}

function Ranked({ placement, known }: { placement: Placement; known: ReadonlyMap<string, Candidate> }) {
  return (
    <li class="card">
      <ul class="places">
        {placement.ids.map((id) => {
          const it = known.get(id);
          return (
            <li key={id}>
              <Place id={id} /> {it?.city && `${it.city}, `}
              {it?.country && countryName(it.country)}
            </li>
          );
        })}
      </ul>
      <p class="quiet-text">
        {count(placement.countries.length, "country", "countries")}, {count(placement.providers.length, "provider", "providers")},
        which answer to {placement.jurisdictions.join(", ") || "laws that are not known"}.{" "}
        {placement.features.length > 0 && `All have ${placement.features.map((it) => FEATURES[it].toLowerCase()).join(", ")}.`}
      </p>
    </li>
  );
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

const GROUPS: Readonly<Record<Standing, { title: string; tone: "good" | "warn" | "bad"; open: boolean; none: string }>> = {
  in: { title: "In", tone: "good", open: true, none: "No place is known to satisfy this." },
  unknown: { title: "Not known well enough", tone: "warn", open: false, none: "Of no place is something missing." },
  out: { title: "Out for certain", tone: "bad", open: false, none: "None." },
};

function Group({
  standing: it,
  verdicts,
  providers,
}: {
  standing: Standing;
  verdicts: readonly Verdict[];
  providers: readonly Provider[];
}) {
  const { title, tone, open, none } = GROUPS[it];
  return (
    <details class="verdicts" open={open}>
      <summary>
        {title} <Badge tone={tone}>{verdicts.length}</Badge>
      </summary>
      {verdicts.length ? (
        <ul>
          {verdicts.map((verdict) => (
            <li key={verdict.candidate.id}>
              <Place id={verdict.candidate.id} /> <Where candidate={verdict.candidate} providers={providers} />
              {verdict.reason && <div class="quiet-text">{shortened(verdict.reason)}</div>}
            </li>
          ))}
        </ul>
      ) : (
        <p class="quiet-text">{none}</p>
      )}
    </details>
  );
}

/** Where it is, and who says so. What the catalogue has without anybody having checked it is shown, and marked. */
function Where({ candidate, providers }: { candidate: Candidate; providers: readonly Provider[] }) {
  const [name, slug] = candidate.id.split("/");
  const site = providers.find((it) => it.provider === name)?.sites.find((it) => it.site === slug);
  const said = site?.country ? `said to be in ${countryName(site.country)}` : "country not known";
  return (
    <>
      {candidate.country ? countryName(candidate.country) : said} {site && <Source of={site} />}
    </>
  );
}
