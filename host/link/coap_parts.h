/* What coap.c (messages, times) and coap_block.c (bodies) give each other. */
#ifndef IPA_COAP_PARTS_H
#define IPA_COAP_PARTS_H

#include "link/coap.h"
#include "link/coap_msg.h"

/* coap_block.c: sets up what a body needs. IPA_ERR_NO_MEM: the header doesn't fit. */
int ipa_coap_body_begin(struct ipa_coap *c);
/* coap_block.c: makes the next message when there is enough for it. */
void ipa_coap_body_next(struct ipa_coap *c);
/* coap_block.c: the response to the message on its way. IPA_OK: it was taken, whatever became of the exchange; IPA_ERR_PROTOCOL: to be rejected. */
int ipa_coap_body_answer(struct ipa_coap *c, const struct ipa_coap_msg *msg);
/* coap_block.c: writes the message that is due into tx, with a new token and message ID. */
void ipa_coap_body_message(struct ipa_coap *c);

#endif
