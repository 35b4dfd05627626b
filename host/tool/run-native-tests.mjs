/** `node host/tool/run-native-tests.mjs [part of a path]...`: only the unit tests of the C modules. `npm test` runs them too. */
import { nativeTests } from "./native.mjs";

const { passed, failed, skipped } = await nativeTests(process.argv.slice(2));
for (const sentence of skipped) console.log(`skipped: ${sentence}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
