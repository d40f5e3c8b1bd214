#pragma once
/* Every status of the system: 0, or a negative code with a name, a sentence and an HTTP status. The same codes go from
 * storage to the client, so each has exactly one row here. Names follow contract section 9.2. */
#include "proto/bytes.h"

/*      code, number, name that clients see, HTTP status, sentence */
#define STATUS_TABLE(X)                                                                                                \
    X(BAD_REQUEST, -1, "BadRequest", 400, "The request is not valid.")                                                 \
    X(VALIDATION_ERROR, -2, "ValidationError", 400, "A field of the request is not valid.")                            \
    X(UNAUTHORIZED, -3, "Unauthorized", 401, "Request is not authorized.")                                             \
    X(TOKEN_EXPIRED, -4, "TokenExpired", 401, "The access token has expired.")                                         \
    X(TOKEN_REVOKED, -5, "TokenRevoked", 401, "The access token has been revoked.")                                    \
    X(IDENTITY_NOT_OWNED, -6, "IdentityNotOwned", 401, "Provided identity doesn't belong to the resource.")            \
    X(FORBIDDEN, -7, "Forbidden", 403,                                                                                 \
      "The initiator doesn't have the permission to perform the requested operation.")                                 \
    X(NOT_FOUND, -8, "NotFound", 404, "The requested resource was not found.")                                         \
    X(THREAD_NOT_FOUND, -9, "NotFound", 404, "The specified thread id was not found.")                                 \
    X(MESSAGE_NOT_FOUND, -10, "NotFound", 404, "The specified message id was not found.")                              \
    X(METHOD_NOT_ALLOWED, -11, "MethodNotAllowed", 405, "The method is not allowed for this resource.")                \
    X(REQUEST_TIMEOUT, -12, "RequestTimeout", 408, "The request took too long to arrive.")                             \
    X(CONFLICT, -13, "Conflict", 409, "The resource is in a state that does not allow this.")                          \
    X(REQUEST_ENTITY_TOO_LARGE, -14, "RequestEntityTooLarge", 413, "The request is too large.")                        \
    X(TOO_MANY_PARTICIPANTS, -15, "TooManyParticipants", 400, "The thread has no room for that many participants.")    \
    X(TOO_MANY_REQUESTS, -16, "TooManyRequests", 429, "Rate limit exceeded.")                                          \
    X(INTERNAL_ERROR, -17, "InternalServerError", 500, "The server met an unexpected condition.")                      \
    X(NOT_IMPLEMENTED, -18, "NotImplemented", 501, "This operation needs the vendor's cloud and is not offered here.") \
    X(SERVICE_UNAVAILABLE, -19, "ServiceUnavailable", 503, "The service is not available now; try again.")             \
    X(STORAGE_FULL, -20, "StorageFull", 503, "The disk of the server is full; nothing was stored.")                    \
    X(STORAGE_FAILED, -21, "StorageFailed", 503, "The disk of the server failed; nothing was stored.")                 \
    X(OVERLOADED, -22, "Overloaded", 503, "The server has as many requests waiting as it takes; try again.")           \
    X(RECORD_CORRUPT, -23, "RecordCorrupt", 500, "A stored record does not open with its key; it is not served.")      \
    X(SHUTTING_DOWN, -24, "ShuttingDown", 503, "The server is shutting down; try again.")                              \
    X(UNSUPPORTED_MEDIA_TYPE, -25, "UnsupportedMediaType", 415, "The media type of the request is not supported.")     \
    X(STORE_MISSING, -26, "NotFound", 404, "The record is not there.")                                                 \
    X(MALFORMED, -27, "Malformed", 400, "The bytes do not have the expected form.")                                    \
    X(NOT_PRIMARY, -28, "ServiceUnavailable", 503, "This node does not lead the range now; try again.")                \
    X(TOO_FEW_REPLICAS, -29, "TooFewReplicas", 503, "Too few replicas are in sync to keep a write safe; try again.")   \
    X(NOT_IN_CLUSTER, -30, "NotInCluster", 409, "This node is alone; there is no other to move anything to.")          \
    X(IMPORT_THREAD_DIFFERS, -60, "ImportThreadDiffers", 409,                                                          \
      "There is a thread of this id that was not imported, or from another dump.")                                     \
    X(IMPORT_THREAD_DELETED, -61, "ImportThreadDeleted", 409, "A thread of this id was here and has been deleted.")    \
    X(IMPORT_MESSAGE_DIFFERS, -62, "ImportMessageDiffers", 409,                                                        \
      "There is another message of this id or at this offset, or the import of the thread left no room for it.")       \
    X(IMPORT_USER_DELETED, -63, "ImportUserDeleted", 409, "A user of this id was here and has been deleted.")

enum status_code {
#define STATUS_ENUM(code, number, name, http, sentence) STATUS_##code = number,
    STATUS_TABLE(STATUS_ENUM)
#undef STATUS_ENUM
        STATUS_OK = 0
};

/* What clients see as `code`: "NotFound". "Unknown" for a number that has no row. */
const char *status_name(int rc);
/* A full sentence for people. */
const char *status_sentence(int rc);
/* 200 for STATUS_OK, 500 for a number that has no row. */
int status_http(int rc);
/* True for the codes after which the same request may succeed; these carry Retry-After. */
bool status_is_temporary(int rc);
