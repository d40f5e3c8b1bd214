#pragma once
/* Every bound of the system with its reason. "Contract" is the ACS chat contract, sections 6 to 8. */

#define LIMIT_PARTICIPANTS_MAX 250            /* contract 8.4: participants in a thread */
#define LIMIT_PARTICIPANTS_PER_ADD_MAX 200    /* contract 6.3: participants in one :add call */
#define LIMIT_PARTICIPANTS_PER_CREATE_MAX 250 /* a thread may be created full in one call */
#define LIMIT_MESSAGE_BYTES_MAX (28 * 1024)   /* contract 8.7: content of a message, UTF-8 bytes */
#define LIMIT_METADATA_BYTES_MAX 1024     /* contract 8.4: keys and values of a thread's or participant's metadata */
#define LIMIT_TOPIC_BYTES_MAX 1024        /* open in the contract; room for 250 characters of any script */
#define LIMIT_DISPLAY_NAME_BYTES_MAX 1024 /* as the topic */
#define LIMIT_RAW_ID_BYTES_MAX 256        /* longest identifier seen is below 120 bytes */
#define LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX 128       /* a UUID is 36 */
#define LIMIT_FEATURE_PARTICIPANTS_DEFAULT 20       /* contract 8.5: receipts and typing work up to here */
#define LIMIT_PAGE_SIZE_DEFAULT 100                 /* contract 7 */
#define LIMIT_PAGE_SIZE_MAX 200                     /* contract 7 */
#define LIMIT_PAGE_BYTES_MAX (1024 * 1024)          /* of messages; escaped they fit one reply between nodes, 8 MB */
#define LIMIT_RANGES_MAX 4096                       /* of a cluster; each costs every node some KB and a heartbeat */
#define LIMIT_TOKEN_MINUTES_MIN 60                  /* contract 2.3 */
#define LIMIT_TOKEN_MINUTES_MAX 1440                /* contract 2.3 */
#define LIMIT_RETENTION_DAYS_MIN 30                 /* contract 8.6 */
#define LIMIT_RETENTION_DAYS_MAX 90                 /* contract 8.6 */
#define LIMIT_RETENTION_DAYS_DEFAULT_MAX 3650       /* of an operator's own policy, which the contract does not bind */
#define LIMIT_HOLD_REASON_BYTES_MAX 1024            /* a sentence, and the name of a case */
#define LIMIT_REQUEST_BODY_BYTES_MAX (1024 * 1024)  /* 250 participants with 1 KB of metadata, all escaped */
#define LIMIT_REQUEST_ID_WINDOW_MS (10 * 60 * 1000) /* contract 9.4: how long a repeated request id is recognised */
#define LIMIT_REQUEST_ID_BUCKET_MS (5 * 60 * 1000)  /* request ids are kept and dropped in buckets of this length */
#define LIMIT_JSON_DEPTH_MAX 32                     /* the deepest body of the contract has 5 levels */
#define LIMIT_MSGPACK_DEPTH_MAX 16                  /* the deepest frame or record has 6 levels */
#define LIMIT_FRAME_BYTES_MAX (256 * 1024) /* a 28 KB message, every byte escaped as \u00xx, and its envelope */
#define LIMIT_RESUME_THREADS_MAX 10000     /* threads one resume request may name */
#define LIMIT_RESUME_CHANGES_MAX 10000     /* changes repeated per thread at a resume before a gap is declared */
#define LIMIT_SESSION_QUEUE_BYTES_MAX (1024 * 1024) /* what a slow reader may have waiting; default, configurable */
#define LIMIT_SESSION_UNANSWERED_MAX 256            /* pushes to an SDK endpoint kept until it answers */
#define LIMIT_SESSIONS_PER_USER_MAX 100             /* of one worker; each costs memory for every thread of the user */
#define LIMIT_SESSION_REQUESTS_MAX 1024             /* requests of one real-time client that wait for their answer */
#define LIMIT_ENDPOINT_BUFFER_MS 60000              /* how long a lost SDK endpoint's events are kept */
#define LIMIT_REQUESTS_IN_FLIGHT_MAX 20000          /* proposals waiting for the disk; beyond it 503 Overloaded */
#define LIMIT_OWN_PROPOSALS_MAX 1000   /* under way and what follows from them, when a node proposes by itself */
#define LIMIT_FORWARDS_OPEN_MAX 10000  /* requests asked of, and served for, other nodes; beyond it 503 Overloaded */
#define LIMIT_FORWARDS_KEPT_MAX 100000 /* served ones known when they are repeated: a few 10 MB */
#define LIMIT_FORWARD_BYTES_MAX (128 * 1024 * 1024) /* their bodies, in each direction; 16 of the largest */
#define LIMIT_FORWARD_DEADLINE_MS_MAX 30000         /* as long as clients wait */
#define LIMIT_FORWARD_GRACE_MS 2000 /* after its deadline: a repeated request has left the network by then */
#define LIMIT_LINK_UNSEEN_BYTES_MAX (1024 * 1024) /* changes told to a node that has not said it has them */
#define LIMIT_PASSED_BYTES_MAX (4 * 1024 * 1024)  /* typing and receipts for those who do not know a new primary yet */
#define LIMIT_LINK_REPEATS_MAX 8                  /* threads read from the store for one node at a time */
#define LIMIT_DISK_BATCH_MAX 2000 /* commands in one write transaction: bounds its pages and its latency */
#define LIMIT_LOG_BYTES_KEPT (64LL * 1024 * 1024) /* applied entries kept for catch-up of a backup */
#define LIMIT_PURGE_ROWS_PER_COMMAND 2000         /* rows of a deleted thread removed per write transaction */
#define LIMIT_COALESCE_TICK_MS 250                /* typing and receipts of large threads are gathered this long */
#define LIMIT_COALESCE_PER_TICK_MAX 16            /* typing users, and receipts, told per thread and tick */
#define LIMIT_IMPORT_MESSAGES_MAX 500   /* messages of a dump in one command; their bytes are bounded by the body */
#define LIMIT_PUSH_REGISTRATIONS_MAX 16 /* devices of one user that are told of messages */
#define LIMIT_LIST_ITEMS_MAX 1000       /* items of a list in a command, change or row; participants are 250 */
