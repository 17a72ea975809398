import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Empty, Failed, Loading, SignInLink } from "./components/index.ts";
import { failed, Toasts } from "./components/toast.tsx";
import { mayOpen, menuFor, PAGES, type Page, type PageProps } from "./pages/index.ts";
import { link, route } from "./router.ts";
import { lost, type Role, refreshSession, session, signOut } from "./session.ts";
import { nextTheme, theme } from "./theme.ts";

const PEOPLE: Readonly<Record<Role, string>> = {
  operator: "operators",
  auditor: "auditors",
  tenant_admin: "tenants' admins",
  tenant: "tenants",
  nobody: "everybody",
};

export function App() {
  const shown = PAGES.find((it) => it.name === route.value.page);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const title = shown?.title ?? "Not here";
  useEffect(() => {
    document.title = shown?.name ? `${title} · Domicile` : "Domicile";
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [title, shown]);
  return (
    <>
      <button type="button" class="button skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header />
      <main id="main" ref={main} tabIndex={-1}>
        {shown ? <Guarded key={shown.name} page={shown} /> : <NotHere />}
      </main>
      <Toasts />
    </>
  );
}

/** Beside the page; above it on a narrow screen, where the menu opens and closes. */
function Header() {
  const [open, setOpen] = useState(false);
  const here = route.value;
  useEffect(() => setOpen(false), [here]); // whoever has gone somewhere needs the menu no longer
  return (
    <header class="top">
      <div class="pinned">
        <a class="brand" href={link("")}>
          <img src="/icon.svg" alt="" width="24" height="24" /> Domicile
        </a>
        <button type="button" class="button opener" aria-expanded={open} aria-controls="menu" onClick={() => setOpen(!open)}>
          Menu
        </button>
        <div id="menu" class={open ? "open" : ""}>
          <Menu />
          <Reader />
        </div>
      </div>
    </header>
  );
}

function Menu() {
  const here = route.value.page;
  return (
    <nav aria-label="Pages">
      {menuFor(session.value).map(({ group, pages }) => (
        <div key={group}>
          <p aria-hidden="true">{group}</p>
          <ul aria-label={group}>
            {pages.map((it) => (
              <li key={it.name}>
                <a href={link(it.name)} {...(here === it.name && { "aria-current": "page" as const })}>
                  {it.title}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

/** Who has signed in, and how the page looks to them. */
function Reader() {
  const who = session.value;
  return (
    <div class="reader">
      {who && who.role !== "nobody" ? (
        <>
          <span class="who">{who.tenant_id ?? (who.role === "operator" ? "Operator" : "Auditor")}</span>
          <button type="button" class="button quiet" onClick={() => signOut().catch(failed)}>
            Sign out
          </button>
        </>
      ) : (
        route.value.page !== "signin" && <SignInLink />
      )}
      <button type="button" class="button quiet" onClick={nextTheme} title="Light, dark, or as the system is">
        Theme: {theme.value}
      </button>
    </div>
  );
}

/** The page, once it is known that whoever this is may see it. */
function Guarded({ page }: { page: Page }) {
  const who = session.value;
  if (page.roles && !who) return <Loading />;
  if (mayOpen(page, who)) return <Lazy page={page} />;
  return (
    <>
      <h1>{page.title}</h1>
      <Closed roles={page.roles ?? []} />
    </>
  );
}

/** Why a page is not shown, and what can be done about it. */
function Closed({ roles }: { roles: readonly Role[] }) {
  const why = lost.value;
  if (why instanceof Error) return <Failed error={why} onRetry={refreshSession} />;
  const people = new Intl.ListFormat("en").format(roles.map((role) => PEOPLE[role]));
  return (
    <Empty title={why === "ended" ? "Your session has ended." : `This page is for ${people}.`}>
      <SignInLink />
    </Empty>
  );
}

function Lazy({ page }: { page: Page }) {
  const loaded = useSignal<ComponentType<PageProps> | Error | undefined>(undefined);
  useEffect(() => {
    const settle = (settled: ComponentType<PageProps> | Error) => {
      loaded.value = settled;
    };
    page.load().then((module) => settle(module.default), settle);
  }, [page, loaded]);
  const Shown = loaded.value;
  if (Shown instanceof Error) return <Failed error={Shown} onRetry={() => location.reload()} />;
  return Shown ? <Shown route={route.value} /> : <Loading />;
}

function NotHere() {
  return (
    <>
      <h1>Not here</h1>
      <Empty title="There is no page of this name.">
        <a href={link("")}>To the beginning</a>
      </Empty>
    </>
  );
}
