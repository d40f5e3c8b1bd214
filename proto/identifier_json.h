#pragma once
/* CommunicationIdentifier objects (contract section 4), both directions. Written by every body that names a user. */
#include "proto/json_tree.h"

/* Reads the raw id from `rawId` or from the one nested object; both, when given, must agree. Refuses what is malformed
 * with STATUS_VALIDATION_ERROR. `target` is the field that refusals name. Copied into the arena. */
int identifier_from_json(const struct json_reader *reader, const json_t *object, const char *target,
                         struct bytes *raw_id);

/* Printable, not too long, "<digits>:…", and no communication user's that is none. */
bool identifier_is_well_formed(struct bytes raw_id);

/* `rawId` and the nested object of its kind; never null members. The caller owns the result. */
json_t *identifier_to_json(struct bytes raw_id);
