/**
 * The PKI of one simulated world: `makePki` makes it from a seed, `loadPki` takes it from a directory and makes what is missing there.
 */
export { DEFAULT_EID, makePki, type Identity, type Issuer, type Pki, type PkiOptions } from "./make.js";
export { loadPki, type LoadOptions } from "./load.js";
