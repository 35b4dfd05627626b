/** A bad way for people and for the tests of the C host: `node …/test/unit/udp-proxy-run.js to=PORT [port=N] [seed=N] [loss=0.1] [duplicate=…] [reorder=…] [delay=MS] [jitter=MS]`. Prints its port; ends with its stdin; "rebind" on stdin gives clients a new address. */
import { createInterface } from "node:readline";
import { startUdpProxy } from "../sim/link/udp-proxy.js";

const values = new Map(process.argv.slice(2).map((arg) => arg.split("=", 2) as [string, string]));
const number = (key: string): number => Number(values.get(key) ?? 0);
const weather = { loss: number("loss"), duplicate: number("duplicate"), reorder: number("reorder"), delayMs: number("delay"), jitterMs: number("jitter") };
const proxy = await startUdpProxy({ to: { port: number("to") }, port: number("port"), seed: number("seed"), up: weather });
console.log(JSON.stringify({ port: proxy.port }));
createInterface({ input: process.stdin })
  .on("line", (line) => line === "rebind" && proxy.rebind())
  .on("close", () => {
    console.error(JSON.stringify(proxy.count));
    void proxy.close().then(() => process.exit(0));
  });
