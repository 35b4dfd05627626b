/** Every scenario, for the command line and for scenarios.test.ts, by procedure. A file holds one scenario (default) or several (`scenarios`). */
import type { Scenario } from "../sim/index.js";
import order from "./start-up/order.js";
import { scenarios as cardsOfTheField } from "./start-up/cards-of-the-field.js";
import { scenarios as eimList } from "./start-up/eim-list.js";
import { scenarios as noWayToTheIsdR } from "./start-up/no-way-to-the-isd-r.js";
import { scenarios as terminalCapability } from "./start-up/terminal-capability.js";
import { scenarios as anyMoment } from "./es10-transport/any-moment.js";
import { scenarios as damagedAnswers } from "./es10-transport/damaged-answers.js";
import { scenarios as getResponse } from "./es10-transport/get-response.js";
import { scenarios as lostChannel } from "./es10-transport/lost-channel.js";
import { scenarios as refresh } from "./es10-transport/refresh.js";
import { scenarios as statusWords } from "./es10-transport/status-words.js";
import { scenarios as storeData } from "./es10-transport/store-data.js";
import { scenarios as connection } from "./esipa-transport/connection.js";
import { scenarios as status } from "./esipa-transport/status.js";
import { scenarios as trust } from "./esipa-transport/trust.js";
import { scenarios as backOff } from "./eim-package-retrieval/back-off.js";
import { scenarios as loopGuard } from "./eim-package-retrieval/loop-guard.js";
import nothingToDo from "./eim-package-retrieval/nothing-to-do.js";
import { scenarios as packages } from "./eim-package-retrieval/packages.js";
import { scenarios as severalEims } from "./eim-package-retrieval/several-eims.js";
import { scenarios as stateChanges } from "./eim-package-retrieval/state-changes.js";
import { scenarios as acknowledgements } from "./euicc-package/acknowledgements.js";
import { scenarios as commands } from "./euicc-package/commands.js";
import { scenarios as deleteEim } from "./euicc-package/delete-eim.js";
import enableWithNotifications from "./euicc-package/enable-with-notifications.js";
import { scenarios as large } from "./euicc-package/large.js";
import { scenarios as profileChange } from "./euicc-package/profile-change.js";
import { scenarios as refusals } from "./euicc-package/refusals.js";
import { scenarios as relay } from "./euicc-package/relay.js";
import rollbackRestarts from "./profile-rollback/restarts.js";
import noCoverage from "./profile-rollback/no-coverage.js";
import { scenarios as profileEimOutOfReach } from "./profile-rollback/eim-out-of-reach.js";
import { scenarios as profileRefused } from "./profile-rollback/refused.js";
import { scenarios as profileNotWanted } from "./profile-rollback/not-wanted.js";
import { scenarios as euiccEverySubset } from "./euicc-data/every-subset.js";
import { scenarios as euiccTagList } from "./euicc-data/tag-list.js";
import { scenarios as euiccSearchCriteria } from "./euicc-data/search-criteria.js";
import { scenarios as euiccCertificates } from "./euicc-data/certificates.js";
import { scenarios as euiccDeviceInfo } from "./euicc-data/device-info.js";
import { scenarios as euiccEmergency } from "./euicc-data/emergency.js";
import { scenarios as euiccLists } from "./euicc-data/lists.js";
import { scenarios as eimInitialAssociation } from "./eim-configuration/initial-association.js";
import { scenarios as eimTrust } from "./eim-configuration/trust.js";
import { scenarios as eimLastEimDeleted } from "./eim-configuration/last-eim-deleted.js";
import { scenarios as notificationDelivery } from "./notification-delivery/delivery.js";
import { scenarios as notificationRefused } from "./notification-delivery/refused.js";
import { scenarios as notificationDirect } from "./notification-delivery/direct.js";
import { scenarios as notificationBundled } from "./notification-delivery/bundled.js";
import { scenarios as downloadAnyMoment } from "./profile-download/any-moment.js";
import { scenarios as downloadCardErrors } from "./profile-download/card-errors.js";
import { scenarios as downloadChecks } from "./profile-download/checks.js";
import { scenarios as downloadConfirmationCode } from "./profile-download/confirmation-code.js";
import { scenarios as downloadDirect } from "./profile-download/direct.js";
import { scenarios as downloadDirectForms } from "./profile-download/direct-forms.js";
import { scenarios as downloadErrorCodes } from "./profile-download/error-codes.js";
import { scenarios as downloadLinkLost } from "./profile-download/link-lost.js";
import { scenarios as downloadAfterDownload } from "./profile-download/enable.js";
import { scenarios as downloadPolicyRules } from "./profile-download/policy-rules.js";
import { scenarios as downloadServerErrors } from "./profile-download/server-errors.js";
import { scenarios as downloadSizes } from "./profile-download/sizes.js";
import { scenarios as downloadTriggerForms } from "./profile-download/trigger-forms.js";
import { scenarios as downloadWhole } from "./profile-download/whole.js";

export const scenarios: readonly Scenario[] = [
  order, ...cardsOfTheField, ...eimList, ...noWayToTheIsdR, ...terminalCapability,
  ...anyMoment, ...damagedAnswers, ...getResponse, ...lostChannel, ...refresh, ...statusWords, ...storeData,
  ...connection, ...status, ...trust,
  nothingToDo, ...packages, ...stateChanges, ...backOff, ...severalEims, ...loopGuard,
  enableWithNotifications, ...relay, ...commands, ...acknowledgements, ...refusals, ...profileChange, ...large, ...deleteEim,
  noCoverage, rollbackRestarts, ...profileEimOutOfReach, ...profileRefused, ...profileNotWanted,
  ...euiccEverySubset, ...euiccTagList, ...euiccSearchCriteria, ...euiccCertificates, ...euiccDeviceInfo, ...euiccEmergency, ...euiccLists,
  ...eimInitialAssociation, ...eimTrust, ...eimLastEimDeleted,
  ...notificationDelivery, ...notificationRefused, ...notificationDirect, ...notificationBundled,
  ...downloadAnyMoment, ...downloadCardErrors, ...downloadChecks, ...downloadConfirmationCode, ...downloadDirect, ...downloadDirectForms, ...downloadErrorCodes, ...downloadLinkLost,
  ...downloadAfterDownload,
  ...downloadPolicyRules, ...downloadServerErrors, ...downloadSizes, ...downloadTriggerForms, ...downloadWhole,
];
