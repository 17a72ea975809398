import { expose } from "comlink";
import { Account } from "./account.ts";

expose(Account);
