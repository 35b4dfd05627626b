/** Every scenario, for the command line and for scenarios.test.ts. One line each, by procedure. */
import type { Scenario } from "../sim/index.js";
import nothingToDo from "./eim-package-retrieval/nothing-to-do.js";
import enableWithNotifications from "./euicc-package/enable-with-notifications.js";
import noCoverage from "./profile-rollback/no-coverage.js";

export const scenarios: readonly Scenario[] = [
  nothingToDo,
  enableWithNotifications,
  noCoverage,
];
