/** The eIM on real sockets: HTTPS and HTTP on loopback, what an answer orders, bounds. */
import assert from "node:assert/strict";
import { request as httpRequest, type RequestOptions } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { tlv } from "../sim/codec/tlv.js";
import { behaviours, psmo, serveEim, type RunningServer, type ServerOptions } from "../sim/eim/index.js";
import { bench, EID, epr, getEimPackage, HEADERS, ICCID, notification, pki, type Bench } from "./eim-fixtures.js";

interface Got {
  status: number;
  headers: Record<string, unknown>;
  body: string;
  localPort: number | undefined;
}

const ca = `-----BEGIN CERTIFICATE-----\n${Buffer.from(pki.eimTls.certificate).toString("base64")}\n-----END CERTIFICATE-----\n`;

function post(server: RunningServer, body: Uint8Array, options: RequestOptions & { agent?: Agent } = {}): Promise<Got> {
  const secure = server.url.startsWith("https");
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(
      `${server.url}/gsma/rsp2/asn1`,
      { method: "POST", headers: { ...HEADERS, "content-length": body.length }, ...(secure && { ca, servername: "eim.example.com" }), ...options },
      (response) => {
        const chunks: Buffer[] = [];
        const localPort = request.socket?.localPort;
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: toHex(Buffer.concat(chunks)), localPort }));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

async function serving(run: (server: RunningServer, b: Bench) => Promise<void>, options: ServerOptions = { tls: pki.eimTls }): Promise<void> {
  const b = bench();
  const server = await serveEim(b.eim, options);
  try {
    await run(server, b);
  } finally {
    await server.close();
  }
}

const NOTHING = "BF4F03020101";

describe("over HTTPS", () => {
  test("a whole poll: package, result, nothing more, on one connection", () =>
    serving(async (server, b) => {
      const record = b.eim.queue(EID, psmo.enable(ICCID));
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const got = [
        await post(server, getEimPackage(EID), { agent }),
        await post(server, tlv(0xbf50, tlv(0x5a, fromHex(EID)), epr(record)), { agent }),
        await post(server, getEimPackage(EID), { agent }),
      ];
      agent.destroy();
      assert.deepEqual(got.map(({ status, body }) => [status, body]), [[200, toHex(tlv(0xbf4f, record.der))], [200, "BF5006BF5303800101"], [200, NOTHING]]);
      assert.equal(new Set(got.map((answer) => answer.localPort)).size, 1);
      assert.equal(got[0]?.headers["content-length"], String(record.der.length + 4));
    }));

  test("TLS 1.1 is refused", () =>
    serving(async (server) => {
      const failure = await new Promise<Error>((resolve, reject) => {
        const socket = tlsConnect({ host: server.host, port: server.port, maxVersion: "TLSv1.1", minVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0", rejectUnauthorized: false });
        socket.on("secureConnect", () => reject(new Error(`connected with ${socket.getProtocol()}`)));
        socket.on("error", resolve);
      });
      assert.match(failure.message, /alert protocol version|unsupported protocol/i);
    }));

  test("connectionClose closes after each answer, chunked sends no Content-Length", () =>
    serving(
      async (server) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const got = [await post(server, getEimPackage(EID), { agent }), await post(server, getEimPackage(EID), { agent })];
        agent.destroy();
        assert.deepEqual(got.map(({ body, headers }) => [body, headers.connection, headers["content-length"], headers["transfer-encoding"]]), [
          [NOTHING, "close", undefined, "chunked"],
          [NOTHING, "close", undefined, "chunked"],
        ]);
        assert.notEqual(got[0]?.localPort, got[1]?.localPort);
      },
      { tls: pki.eimTls, connectionClose: true, chunked: true },
    ));
});

describe("over plain HTTP", () => {
  const plain = (run: (server: RunningServer, b: Bench) => Promise<void>): Promise<void> => serving(run, {});

  test("a chunked request is taken", () =>
    plain(async (server) => {
      const body = await new Promise<string>((resolve, reject) => {
        const request = httpRequest(`${server.url}/gsma/rsp2/asn1`, { method: "POST", headers: HEADERS }, (response) => {
          response.on("data", (chunk: Buffer) => resolve(toHex(chunk)));
        });
        request.on("error", reject);
        for (const octet of getEimPackage(EID)) request.write(Uint8Array.of(octet));
        request.end();
      });
      assert.equal(body, NOTHING);
    }));

  test("a body of more than 64 KiB is answered 413 and the connection closed", () =>
    plain(async (server, b) => {
      const got = await post(server, new Uint8Array(65_537));
      assert.deepEqual([got.status, got.headers.connection], [413, "close"]);
      assert.equal(b.last().verdict, "refused");
    }));

  test("HandleNotification is answered 204 without Content-Type and Content-Length", () =>
    plain(async (server) => {
      const got = await post(server, tlv(0xbf3d, tlv(0xa0, notification(1))));
      assert.deepEqual([got.status, got.body, got.headers["content-type"], got.headers["content-length"], got.headers["transfer-encoding"]], [204, "", undefined, undefined, undefined]);
    }));

  test("drop closes without an answer", () =>
    plain(async (server, b) => {
      b.eim.use(behaviours.drop());
      await assert.rejects(post(server, getEimPackage(EID)), { code: "ECONNRESET" });
    }));

  test("truncated announces all and breaks off", () =>
    plain(async (server, b) => {
      b.eim.use(behaviours.truncated(3));
      const raw = await new Promise<string>((resolve, reject) => {
        const socket = connect(server.port, server.host);
        let text = "";
        socket.on("data", (chunk) => (text += chunk.toString("latin1")));
        socket.on("close", () => resolve(text));
        socket.on("error", reject);
        const headers = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`).join("");
        socket.write(`POST /gsma/rsp2/asn1 HTTP/1.1\r\nhost: x\r\n${headers}content-length: ${getEimPackage(EID).length}\r\n\r\n`);
        socket.write(getEimPackage(EID));
      });
      assert.match(raw, /content-length: 6\r\n/i);
      assert.equal(raw.slice(raw.indexOf("\r\n\r\n") + 4).length, 3);
    }));

  test("lateBy answers after that time, and silent does not answer", () =>
    plain(async (server, b) => {
      b.eim.use(behaviours.lateBy(60));
      const start = performance.now();
      assert.equal((await post(server, getEimPackage(EID))).body, NOTHING);
      assert.ok(performance.now() - start >= 55);
      b.eim.use(behaviours.silent());
      const impatient = post(server, getEimPackage(EID), { timeout: 50, signal: AbortSignal.timeout(80) });
      await assert.rejects(impatient, { name: "AbortError" });
    }));
});
