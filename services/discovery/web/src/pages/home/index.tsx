import { link } from "../../router.ts";
import { session } from "../../session.ts";
import { menuFor } from "../index.ts";

export default function Home() {
  return (
    <>
      <h1>Domicile</h1>
      <p class="lead">Know, choose and prove where your data lives.</p>
      {session.value?.role === "nobody" && (
        <p>
          Look at S3 buckets of your own, and find out which places would do for your data, without an account. Operators and
          tenants sign in to see where theirs is.
        </p>
      )}
      {menuFor(session.value).map(({ group, pages }) => (
        <section key={group} aria-label={group}>
          <h2>{group}</h2>
          <ul class="cards">
            {pages.map((it) => (
              <li key={it.name} class="leads">
                <a href={link(it.name)}>{it.title}</a>
                <p>{it.about}</p>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}
