import { link } from "../../router.ts";
import { session } from "../../session.ts";
import { mayOpen, PAGES } from "../index.ts";

export default function Home() {
  return (
    <>
      <h1>Domicile</h1>
      <p class="lead">Know, choose and prove where your data lives.</p>
      <ul class="cards">
        {PAGES.filter((it) => it.inMenu && mayOpen(it, session.value)).map((it) => (
          <li key={it.name}>
            <a href={link(it.name)}>{it.title}</a>
          </li>
        ))}
      </ul>
    </>
  );
}
