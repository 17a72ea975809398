import { render } from "preact";
import { App } from "./app.tsx";
import { refreshSession } from "./session.ts";
import "./styles/base.css";
import "./styles/components.css";
import { applyTheme } from "./theme.ts";

applyTheme();
void refreshSession();
render(<App />, document.getElementById("app") as HTMLElement);
