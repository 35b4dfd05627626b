/**
 * Protection of Bound Profile Packages, for both ends: an SM-DP+ binds (`bindProfile`, `joinBpp`), an eUICC opens the channel
 * (`acceptSecureChannel`) and takes block by block (`unprotect`, `replaceSessionKeys`), or all at once (`unbindProfile`).
 */
export { acceptSecureChannel, bindProfile, unbindProfile, type BindOptions, type Unbound, type UnbindOptions } from "./bind.js";
export {
  BLOCK_LIMIT, CLEAR_LIMIT, encodeReplaceSessionKeys, MAC_LENGTH, openChannel, PLAINTEXT_LIMIT, protect, readReplaceSessionKeys, replaceSessionKeys, unprotect,
  type BlockTag, type SecureChannel, type UnprotectOptions,
} from "./channel.js";
export { cmac } from "./cmac.js";
export { BppError, ErrorReason } from "./errors.js";
export { KEY_LENGTH, KEY_TYPE_AES, sessionKeys, sharedInfo, sharedSecret, x963Kdf, type Agreement, type SessionKeys } from "./keys.js";
export { allBlocks, joinBpp, loadSegments, splitBpp, type BppParts } from "./package.js";
export { checkSecureChannelRequest, encodeSecureChannelRequest, INSTALL_BPP, readSecureChannelRequest, type SecureChannelOptions, type SecureChannelRequest } from "./secure-channel-request.js";
