import { expose } from "comlink";
import { Lines } from "./lines.ts";

expose(Lines);
