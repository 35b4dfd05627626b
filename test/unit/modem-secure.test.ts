/** The simulated modems' own secure sockets (modem-at 6): TLS against a real server, DTLS against the simulated one, over loopback; trust by what the host put in. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, describe, test } from "node:test";
import { utf8 } from "../sim/core/bytes.js";
import { serveHttp, type RunningServer } from "../sim/core/https-server.js";
import { DtlsServer, type DtlsServerOutput } from "../sim/dtls/index.js";
import { AtModem, FAMILIES, familyOf, IDEAL_PACE, LoopbackNet, type FamilyName } from "../sim/modem/index.js";
import { secureModem } from "../sim/modem-dtls.js";
import { makePki } from "../sim/pki/pki.js";
import { PaperCard, text } from "./modem-kit.js";

const pki = makePki({ seed: "modem-secure" });
const other = makePki({ seed: "another" });
const PEM = pem(pki.eimTls.certificate);
const OTHER_PEM = pem(other.eimTls.certificate);
const KEY = "000102030405060708090A0B0C0D0E0F";
const REQUEST = "GET /x HTTP/1.1\r\nHost: eim.example.com\r\n\r\n";

function pem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
}

const lives: Live[] = [];
// Sockets of a modem that is on keep the process alive.
after(() => lives.forEach(({ modem }) => modem.powerOff()));

/** A modem in real time, and its host, which waits for what it wants to hear. */
class Live {
  readonly modem: AtModem;
  #heard = "";
  #wakes: () => void = () => undefined;

  private constructor(family: FamilyName, names: Readonly<Record<string, string>>) {
    this.modem = new AtModem({ family, card: new PaperCard(), echo: false, pace: IDEAL_PACE, net: new LoopbackNet({ names }), secure: secureModem({ seed: 7 }) });
    this.modem.onData = (bytes) => {
      this.#heard += text(bytes);
      this.#wakes();
    };
    this.modem.powerOn();
    lives.push(this);
  }

  /** On, and heard: AT until it answers, as a host does. */
  static async on(family: FamilyName, names: Readonly<Record<string, string>>): Promise<Live> {
    const live = new Live(family, names);
    while (!live.#heard.includes("OK")) {
      live.modem.write(utf8("AT\r"));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    live.#heard = "";
    return live;
  }

  /** Sends, and gives what was heard up to `until`. */
  async say(octets: string, until: RegExp): Promise<string> {
    this.modem.write(new Uint8Array(Buffer.from(octets, "latin1")));
    for (;;) {
      const found = until.exec(this.#heard);
      if (found !== null) {
        const heard = this.#heard.slice(0, found.index + found[0].length);
        this.#heard = this.#heard.slice(heard.length);
        return heard;
      }
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`expected ${until}, heard ${JSON.stringify(this.#heard)}\n${this.modem.transcript.print()}`)), 10_000);
        this.#wakes = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** A command with its final result; anything but OK is thrown. */
  async ok(line: string): Promise<string> {
    const heard = await this.say(`${line}\r`, /\r\n(OK|ERROR|\+CME ERROR: .*)\r\n/);
    assert.match(heard, /\r\nOK\r\n$/, line);
    return heard;
  }

  /** A command that takes counted data. */
  async data(line: string, prompt: RegExp, data: string, until: RegExp): Promise<string> {
    await this.say(`${line}\r`, prompt);
    if (prompt.source === "@") await new Promise((resolve) => setTimeout(resolve, 60));
    return this.say(data, until);
  }
}

/** How a family is told what to trust, opens, sends and reads. `host`: name to connect to. */
interface Recipe {
  readonly family: FamilyName;
  readonly trust: (live: Live, certificate: string) => Promise<void>;
  /** What the modem says of the opening. */
  readonly open: (live: Live, host: string, port: number) => Promise<string>;
  readonly opened: RegExp;
  readonly exchange: (live: Live) => Promise<string>;
  readonly checksName: boolean;
}

const RECIPES: readonly Recipe[] = [
  {
    family: "bg95",
    async trust(live, certificate) {
      await live.data(`AT+QFUPL="ca.pem",${certificate.length},5`, /CONNECT\r\n/, certificate, /OK\r\n/);
      for (const set of ['"seclevel",0,1', '"cacert",0,"UFS:ca.pem"', '"sslversion",0,3', '"sni",0,1']) await live.ok(`AT+QSSLCFG=${set}`);
      await live.ok("AT+QIACT=1");
    },
    open: (live, host, port) => live.say(`AT+QSSLOPEN=1,0,0,"${host}",${port},0\r`, /\+QSSLOPEN: 0,\d+\r\n/),
    opened: /QSSLOPEN: 0,0\r/,
    async exchange(live) {
      await live.data(`AT+QSSLSEND=0,${REQUEST.length}`, /> /, REQUEST, /SEND OK\r\n/);
      await live.say("", /\+QSSLURC: "recv",0\r\n/);
      return live.ok("AT+QSSLRECV=0,1500");
    },
    checksName: false,
  },
  {
    family: "sara-r5",
    async trust(live, certificate) {
      await live.data(`AT+USECMNG=0,0,"ca",${certificate.length}`, />/, certificate, /OK\r\n/);
      for (const set of ["0", "0,0,2", '0,3,"ca"', '0,4,"eim.example.com"']) await live.ok(`AT+USECPRF=${set}`);
      await live.ok("AT+USOCR=6");
      await live.ok("AT+USOSEC=0,1,0");
    },
    open: (live, host, port) => live.say(`AT+USOCO=0,"${host}",${port}\r`, /\r\n(OK|ERROR)\r\n/),
    opened: /OK/,
    async exchange(live) {
      await live.data(`AT+USOWR=0,${REQUEST.length}`, /@/, REQUEST, /OK\r\n/);
      await live.say("", /\+UUSORD: 0,\d+\r\n/);
      return live.ok("AT+USORD=0,1024");
    },
    checksName: true,
  },
  {
    family: "sim7080",
    async trust(live, certificate) {
      await live.ok("AT+CFSINIT");
      await live.data(`AT+CFSWFILE=3,"ca.pem",0,${certificate.length},5000`, /DOWNLOAD\r\n/, certificate, /OK\r\n/);
      await live.ok("AT+CFSTERM");
      for (const line of ['AT+CSSLCFG="sslversion",0,3', 'AT+CSSLCFG="convert",2,"ca.pem"', "AT+CACID=0", 'AT+CASSLCFG=0,"SSL",1', 'AT+CASSLCFG=0,"CRINDEX",0', 'AT+CASSLCFG=0,"CACERT","ca.pem"']) await live.ok(line);
      await live.say("AT+CNACT=0,1\r", /\+APP PDP: 0,ACTIVE\r\n/);
    },
    open: (live, host, port) => live.say(`AT+CAOPEN=0,0,"TCP","${host}",${port}\r`, /\+CAOPEN: 0,\d+\r\n\r\nOK\r\n/),
    opened: /CAOPEN: 0,0\r/,
    async exchange(live) {
      await live.data(`AT+CASEND=0,${REQUEST.length}`, />/, REQUEST, /OK\r\n/);
      await live.say("", /\+CADATAIND: 0\r\n/);
      return live.ok("AT+CARECV=0,1459");
    },
    checksName: false,
  },
  {
    family: "nrf91",
    async trust(live, certificate) {
      await live.ok("AT+CFUN=4");
      await live.ok(`AT%CMNG=0,42,0,"${certificate}"`);
      await live.ok("AT+CEREG=1");
      await live.say("AT+CFUN=1\r", /\+CEREG: 1\r\n/);
      await live.ok("AT#XSSOCKET=1,1,0,42,2");
      await live.ok('AT#XSSOCKETOPT=0,1,2,"eim.example.com"');
    },
    open: (live, host, port) => live.say(`AT#XCONNECT=0,"${host}",${port}\r`, /\r\n(OK|ERROR)\r\n/),
    opened: /#XCONNECT: 0,1\r/,
    async exchange(live) {
      await live.ok("AT#XAPOLL=0,1,1");
      await live.data(`AT#XSEND=0,2,0,${REQUEST.length}`, /OK\r\n/, REQUEST, /#XDATAMODE: 0\r\n/);
      await live.say("", /#XAPOLL: 0,1\r\n/);
      return live.ok("AT#XRECV=0,0,64,0,2048");
    },
    checksName: true,
  },
];

describe("TLS of the modem", () => {
  let server: RunningServer;
  /** Its certificate is signed by the CI, and for other names. */
  let stranger: RunningServer;
  before(async () => {
    const answer = () => ({ status: 200, headers: {}, body: utf8("hello from the eIM") });
    server = await serveHttp(answer, 100, { tls: pki.eimTls });
    stranger = await serveHttp(answer, 100, { tls: pki.dpTls });
  });
  after(() => Promise.all([server.close(), stranger.close()]));

  const names = (): Record<string, string> => ({ "eim.example.com": `127.0.0.1:${server.port}`, "stranger.example.com": `127.0.0.1:${stranger.port}` });

  for (const recipe of RECIPES) {
    const { title } = familyOf(recipe.family);
    test(`${title}: a server that its certificate vouches for is spoken to`, async () => {
      const live = await Live.on(recipe.family, names());
      await recipe.trust(live, PEM);
      assert.match(await recipe.open(live, "eim.example.com", 443), recipe.opened);
      assert.match(await recipe.exchange(live), /HTTP\/1\.1 200 OK/);
      assert.match(live.modem.sockets.all[0]?.net?.suite ?? "", /^TLS_ECDHE_ECDSA/);
    });

    test(`${title}: a server that it does not vouch for is refused, and no data reach it`, async () => {
      const live = await Live.on(recipe.family, names());
      await recipe.trust(live, OTHER_PEM);
      assert.doesNotMatch(await recipe.open(live, "eim.example.com", 443), recipe.opened);
      const why = live.modem.transcript.notes.join("\n");
      assert.match(why, /did not sign the server's chain|differs from the pinned certificate/);
    });

    test(`${title}: a certificate for another name is ${recipe.checksName ? "refused" : "taken, since this family does not look at names"}`, async () => {
      const live = await Live.on(recipe.family, names());
      await recipe.trust(live, pem(pki.ci.certificate));
      const said = await recipe.open(live, "stranger.example.com", 443);
      assert.equal(recipe.opened.test(said), !recipe.checksName);
      if (recipe.checksName) assert.match(live.modem.transcript.notes.join("\n"), /the server's certificate is not for eim\.example\.com/);
    });
  }

  test("without a file to check by, a BG95 that is to check refuses", async () => {
    const live = await Live.on("bg95", names());
    await live.ok('AT+QSSLCFG="seclevel",0,1');
    await live.ok("AT+QIACT=1");
    assert.match(await live.say('AT+QSSLOPEN=1,0,0,"eim.example.com",443,0\r', /\+QSSLOPEN: 0,\d+\r\n/), /QSSLOPEN: 0,566/);
    assert.match(live.modem.transcript.notes.join("\n"), /expected a CA certificate in the modem, got none/);
  });

  test("no family can check a pinned public key", () => {
    for (const family of FAMILIES) for (const form of [...familyOf(family).trust.TLS, ...familyOf(family).trust.DTLS]) assert.match(form, /^(CA|certificate|name|PSK)$/);
    assert.deepEqual(familyOf("generic").trust, { TLS: [], DTLS: [] });
  });
});

/** The simulated DTLS server on a real socket; it sends back what it gets. */
async function echoServer(): Promise<{ port: number; server: DtlsServer; close: () => void }> {
  const server = new DtlsServer({ identity: pki.eimTls, psk: { device: Buffer.from(KEY, "hex") }, connectionId: 4 });
  const socket = createSocket("udp4");
  const out = (outputs: readonly DtlsServerOutput[]): void => {
    for (const output of outputs) {
      if (output.kind === "data") out(server.send(output.session, output.data));
      else if (output.kind === "datagram") socket.send(output.datagram, Number(output.to.split(" ")[1]), output.to.split(" ")[0]);
    }
  };
  socket.on("message", (bytes, from) => out(server.handle(`${from.address} ${from.port}`, new Uint8Array(bytes), performance.now())));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { port: socket.address().port, server, close: () => void socket.close() };
}

describe("DTLS of the modem", () => {
  let echo: Awaited<ReturnType<typeof echoServer>>;
  before(async () => (echo = await echoServer()));
  after(() => echo.close());

  const names = (): Record<string, string> => ({ "eim.example.com": `127.0.0.1:${echo.port}` });

  async function bg95(psk: string | undefined): Promise<Live> {
    const live = await Live.on("bg95", names());
    const file = `device&${psk}`;
    if (psk !== undefined) await live.data(`AT+QFUPL="0_server.psk",${file.length},5`, /CONNECT\r\n/, file, /OK\r\n/);
    await live.ok('AT+QSSLCFG="dtls",0,1');
    await live.ok('AT+QSSLCFG="ciphersuite",0,0XC0A8');
    await live.ok("AT+QIACT=1");
    return live;
  }

  test("Quectel: PSK from its file", async () => {
    const live = await bg95(KEY);
    assert.match(await live.say('AT+QSSLOPEN=1,0,0,"eim.example.com",5684,0\r', /\+QSSLOPEN: 0,\d+\r\n/), /QSSLOPEN: 0,0\r/);
    await live.data("AT+QSSLSEND=0,4", /> /, "ping", /SEND OK\r\n/);
    await live.say("", /\+QSSLURC: "recv",0\r\n/);
    assert.match(await live.ok("AT+QSSLRECV=0,1500"), /\+QSSLRECV: 4\r\nping/);
  });

  test("nRF91: with a wrong PSK no handshake is completed in its time", async () => {
    const live = await Live.on("nrf91", names());
    for (const line of ["AT+CFUN=4", 'AT%CMNG=0,7,4,"device"', `AT%CMNG=0,7,3,"${"FF".repeat(16)}"`, "AT+CEREG=1"]) await live.ok(line);
    await live.say("AT+CFUN=1\r", /\+CEREG: 1\r\n/);
    await live.ok("AT#XSSOCKET=1,2,0,7,2;#XSSOCKETOPT=0,1,18,1");
    assert.match(await live.say('AT#XCONNECT=0,"eim.example.com",5684\r', /\r\n(OK|ERROR)\r\n/), /ERROR/);
    assert.match(live.modem.transcript.notes.join("\n"), /did not answer within 1000 ms/);
  });

  test("Quectel: without PSK nothing is opened", async () => {
    const none = await bg95(undefined);
    assert.match(await none.say('AT+QSSLOPEN=1,0,0,"eim.example.com",5684,0\r', /\+QSSLOPEN: 0,\d+\r\n/), /QSSLOPEN: 0,552/);
  });

  for (const [what, certificate, opened] of [["ECDSA with the server's certificate, and a connection id", PEM, true], ["another certificate is refused", OTHER_PEM, false]] as const) {
    test(`nRF91: ${what}`, async () => {
      const live = await Live.on("nrf91", names());
      await live.ok("AT+CFUN=4");
      await live.ok(`AT%CMNG=0,7,0,"${certificate}"`);
      await live.ok("AT+CEREG=1");
      await live.say("AT+CFUN=1\r", /\+CEREG: 1\r\n/);
      await live.ok("AT#XSSOCKET=1,2,0,7,2");
      await live.ok('AT#XSSOCKETOPT=0,1,2,"eim.example.com"');
      await live.ok("AT#XSSOCKETOPT=0,1,14,2");
      const said = await live.say('AT#XCONNECT=0,"eim.example.com",5684\r', /\r\n(OK|ERROR)\r\n/);
      assert.equal(/#XCONNECT: 0,1/.test(said), opened);
      if (!opened) return;
      await live.ok('AT#XSEND=0,1,0,"AB00"');
      assert.match(await live.ok("AT#XRECV=0,1,0,5"), /#XRECV: 0,1,2\r\nAB00/);
    });
  }

  test("SIMCom: PSK from its table", async () => {
    const live = await Live.on("sim7080", names());
    const table = `device:${KEY}`;
    await live.ok("AT+CFSINIT");
    await live.data(`AT+CFSWFILE=3,"psk",0,${table.length},5000`, /DOWNLOAD\r\n/, table, /OK\r\n/);
    for (const line of ['AT+CSSLCFG="convert",3,"psk"', 'AT+CSSLCFG="ciphersuite",0,0,0xC0A8', "AT+CACID=0", 'AT+CASSLCFG=0,"SSL",1', 'AT+CASSLCFG=0,"PSKTABLE","psk"']) await live.ok(line);
    await live.say("AT+CNACT=0,1\r", /\+APP PDP: 0,ACTIVE\r\n/);
    assert.match(await live.say('AT+CAOPEN=0,0,"UDP","eim.example.com",5684\r', /\+CAOPEN: 0,\d+\r\n\r\nOK\r\n/), /CAOPEN: 0,0\r/);
  });
});
