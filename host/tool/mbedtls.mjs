/** Mbed TLS 3.6: fetched and built for the C host. */
import { StepError } from "./steps.mjs";

export async function mbedtls() {
  throw new StepError("Mbed TLS is not fetched yet");
}
