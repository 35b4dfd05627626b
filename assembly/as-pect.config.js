/**
 * as-pect: unit tests of the agent's leaf modules, beside them in __tests__. `npm test` runs them; by hand, from the root:
 * npx asp --config assembly/as-pect.config.js --as-config assembly/as-pect.asconfig.json
 */
export default {
  /** TINYIPA_SPECS: only these files, separated by commas. */
  entries: process.env.TINYIPA_SPECS ? process.env.TINYIPA_SPECS.split(",") : ["assembly/__tests__/**/*.spec.ts"],
  include: ["assembly/__tests__/**/*.include.ts"],
  disclude: [/node_modules/],
  reporter: "assembly/as-pect.reporter.js",
  instantiate(memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { memory } }));
  },
  outputBinary: false,
};
