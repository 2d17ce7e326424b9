/*
 * What one field of a request may hold, by its type in fields.def.  For request.c; everybody else sees
 * fields only after this check.
 */
#ifndef COFFER_PROTO_FIELD_H
#define COFFER_PROTO_FIELD_H

#include "request.h"

/*
 * Checks one value.  BAD_PARAMS: wrong JSON type, unknown or missing member · BAD_NAME, RESERVED_NAME: a name ·
 * BAD_VALUE: other text · TOO_LARGE: over the field's size · UNSUPPORTED: a condition of another version.
 */
enum err field_check(const struct json_doc *doc, const struct json_token *value, enum field field);

#endif
