/** `tinyipa agent --uart`: a modem on a serial line, its card and its network, by the C host's AT driver. */
import { MODEM_FAMILIES } from "../sim/agent/native-doors.js";
import { NativeModem } from "../sim/agent/native-uicc.js";
import { isFailed } from "../sim/core/doors.js";
import { SimError } from "../sim/core/errors.js";
import type { DeviceHooks, LiveOptions } from "../sim/live.js";
import { UsageError, wholeNumber, type Io } from "./command.js";

export interface UartOptions {
  readonly uart: string;
  readonly family?: string | undefined;
  readonly apn?: string | undefined;
  readonly baud?: string | undefined;
}

export interface Modem {
  /** For links on its sockets. */
  readonly handle: object;
  readonly imei: string | undefined;
}

/** Finds the modem and waits until it answers. Throws UsageError, or SimError "line" or "modem". */
export async function modemOf(options: UartOptions, io: Io): Promise<{ card: LiveOptions["card"]; modem: Modem; close: () => Promise<void> }> {
  const { uart: path, family, apn } = options;
  if (family !== undefined && !(MODEM_FAMILIES as readonly string[]).includes(family)) throw new UsageError(`expected one of ${MODEM_FAMILIES.join(", ")} for --family, got "${family}"`);
  const baud = wholeNumber("baud", options.baud, 1);
  let hooks: DeviceHooks | undefined;
  const modem = new NativeModem({
    path, ...(family === undefined ? {} : { family }), ...(apn === undefined ? {} : { apn }), ...(baud === undefined ? {} : { baud }),
    record: (command, response) => hooks?.record(command, response),
    onReset: () => hooks?.onReset(),
  });
  const imei = await modem.imei();
  if (isFailed(imei) && imei.failure !== "not found") {
    modem.dispose();
    throw new SimError("modem", `expected a modem at ${path}: ${imei.reason}`);
  }
  io.err(`modem: ${modem.family}${isFailed(imei) ? "" : `, IMEI ${imei}`}`);
  const card: LiveOptions["card"] = (given) => {
    hooks = given;
    return modem;
  };
  return { card, modem: { handle: modem.handle, imei: isFailed(imei) ? undefined : imei }, close: () => Promise.resolve(modem.dispose()) };
}
