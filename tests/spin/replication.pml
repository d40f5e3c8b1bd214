/* One range on three nodes: takeover, change of who is in sync, restart, hand-over, a disk that refuses.
 * The rules are those of node/core/replication.c and the files beside it, whose functions are named here in brackets;
 * README.md says what is left out and why nothing is lost by that. There is one process: each turn of its loop is one
 * step of one node, of the coordinator or of the network. BUG_… breaks one rule, which tests/spin/run demands to be
 * noticed; GOAL=n asks whether something can be reached. */

#define NODES 3
#ifndef ENTRIES
#define ENTRIES 2 /* places in the log */
#endif
#ifndef EPOCHS
#define EPOCHS 4
#endif
#ifndef VERSIONS
#define VERSIONS 5 /* of the record */
#endif
#ifndef LOSSES
#define LOSSES 2 /* how often a node restarts or its disk refuses */
#endif
#ifndef HELD
#define HELD 1 /* packets that arrive late or again: 0, 1 of either kind, 2 one of each */
#endif

#define BIT(node) (1 << (node))
#define MIN(a, b) ((a) < (b) -> (a) : (b))

/* Roles as in replication.h. */
#define NONE 0
#define REPLICA 1
#define TAKING_OVER 2
#define PRIMARY 3
#define LEADS(node) (role[node] >= TAKING_OVER)

/* What a node has asked the coordinator for; with a node added to the last three. */
#define NOTHING 0
#define LEAD 1
#define OUT 2
#define IN 5
#define HAND 8
#define IS_ASKED(node, what) (want[node] >= (what) && want[node] < (what) + NODES)

/* The coordinator: the record by version. Who is not in sync is a learner. */
byte record_epoch[VERSIONS + 1];
byte record_primary[VERSIONS + 1];
byte record_in_sync[VERSIONS + 1]; /* bits */
bit record_handed[VERSIONS + 1];   /* is_handed_over */
byte current;                      /* version */
#define EPOCH_OF(node) record_epoch[version[node]]
#define PRIMARY_OF(node) record_primary[version[node]]
#define IN_SYNC_OF(node) record_in_sync[version[node]]

/* A node. An entry is its epoch and a bit by which two entries of one place and epoch can differ. */
#define ENTRY_EPOCH(entry) ((entry) >> 1)
#define LOG(node, index) log[(node) * ENTRIES + (index) - 1]
#define DISK(node, index) disk[(node) * ENTRIES + (index) - 1]
byte log[NODES * ENTRIES];
byte disk[NODES * ENTRIES];
byte last[NODES];    /* of the log in memory */
byte durable[NODES]; /* as the node knows it */
byte committed[NODES];
byte version[NODES]; /* of the record that it knows */
byte role[NODES];
byte want[NODES];
byte life[NODES];    /* the bit; another one after each loss of entries */
byte matched[NODES]; /* REPLICA */

/* A node that leads. */
byte ready_at[NODES];
byte replica_durable[NODES * NODES]; /* as acknowledged in this epoch; 0: not yet */
#define ACKNOWLEDGED(node, replica) replica_durable[(node) * NODES + (replica)]
byte alone_until[NODES];             /* on their way to the disk since nobody else counted; 0: nothing */
byte lease[NODES];                   /* bits: whose echo has not run out */

/* While it is open which of two records holds, both count. [is_required] */
#ifdef BUG_REQUIRES_OLD_RECORD_ONLY
#define REQUIRED(node) IN_SYNC_OF(node)
#else
#define REQUIRED(node) (IN_SYNC_OF(node) | (IS_ASKED(node, IN) -> BIT(want[node] - IN) : 0))
#endif

/* Whom a range is handed over to leads it without having waited. So its old primary relies on no lease from then on when
 * it has asked for that. [replication_may_read, is_given_away] */
#ifdef BUG_READS_WITHOUT_LEASE
#define HAS_LEASE(node) true
#else
#define HAS_LEASE(node) ((REQUIRED(node) & ~(lease[node] | BIT(node))) == 0)
#endif
#ifdef BUG_READS_DURING_HAND_OVER
#define MAY_READ(node) (role[node] == PRIMARY && HAS_LEASE(node))
#else
#define MAY_READ(node) (role[node] == PRIMARY && HAS_LEASE(node) && !IS_ASKED(node, HAND))
#endif

/* The network: what is sent arrives at once, never, or, when it is held here, at any later time and any number of
 * times. Place 0 is for what arrives at once. */
byte append_from[2];
byte append_to[2];
byte append_epoch[2]; /* 0: nothing is held */
byte append_last[2];
byte append_committed[2];
byte append_entries[2 * ENTRIES];
#define APPENDED_ENTRY(slot, index) append_entries[(slot) * ENTRIES + (index) - 1]
byte appended_from[2];
byte appended_to[2];
byte appended_epoch[2];
byte appended_durable[2];

/* What a node asked the coordinator for in an earlier life, still on its way. */
byte late_version; /* 0: none */
byte late_epoch;
byte late_primary;
byte late_in_sync;
bit late_handed;

#ifdef BUG_STALE_DISK_COMPLETION
byte written[NODES]; /* a write up to there was under way when the log was truncated */
#endif

byte losses;

/* What clients have been told. */
byte acknowledged[ENTRIES]; /* 0: nothing at that place yet */
byte acknowledged_last;

/* ---- a node's log ---- */

/* [window_truncate, and what goes with it] */
inline truncate(node, index) {
#ifdef BUG_STALE_DISK_COMPLETION
    if
    :: durable[node] < last[node] -> written[node] = last[node]
    :: else
    fi;
#endif
    do
    :: last[node] > index -> LOG(node, last[node]) = 0; last[node]--
    :: else -> break
    od;
    durable[node] = MIN(durable[node], index);
    matched[node] = MIN(matched[node], index)
}

/* One primary acknowledges per index: two entries never are, and who takes a place as committed has that entry. */
inline committed_to(node, index, may_acknowledge) {
    do
    :: committed[node] < index ->
        committed[node]++;
        if
        :: acknowledged_last < committed[node] ->
            assert(may_acknowledge);
            acknowledged[committed[node] - 1] = LOG(node, committed[node]);
            acknowledged_last = committed[node];
            printf("%d tells clients of entry %d\n", node, committed[node])
        :: else -> assert(acknowledged[committed[node] - 1] == LOG(node, committed[node]))
        fi
    :: else -> break
    od
}

/* Durable on all that are required. [replication_commit] */
inline commit(node) {
    if
    :: LEADS(node) ->
        least = durable[node];
        other = 0;
#ifdef BUG_COMMITS_WITHOUT_ONE
        spared = 0;
#endif
        do
        :: other < NODES && other != node && (REQUIRED(node) & BIT(other)) && ACKNOWLEDGED(node, other) < least ->
#ifdef BUG_COMMITS_WITHOUT_ONE
            if
            :: !spared -> spared = 1
            :: else -> least = ACKNOWLEDGED(node, other)
            fi;
#else
            least = ACKNOWLEDGED(node, other);
#endif
            other++
        :: other == NODES -> break
        :: else -> other++
        od;
        if
        :: alone_until[node] > least -> least = MIN(alone_until[node], durable[node])
        :: else
        fi;
        committed_to(node, least, true);
        alone_until[node] = (alone_until[node] > committed[node] -> alone_until[node] : 0);
        if
        :: role[node] == TAKING_OVER && committed[node] >= ready_at[node] -> role[node] = PRIMARY
        :: else
        fi;
        least = 0;
        other = 0
#ifdef BUG_COMMITS_WITHOUT_ONE
        ;spared = 0
#endif
    :: else
    fi
}

/* ---- roles ---- */

inline replicas_forget(node) {
    other = 0;
    do
    :: other < NODES -> ACKNOWLEDGED(node, other) = 0; other++
    :: else -> break
    od;
    other = 0;
    lease[node] = 0;
    alone_until[node] = 0;
    ready_at[node] = 0
}

/* [lead] */
inline lead(node) {
    replicas_forget(node);
    matched[node] = 0;
    ready_at[node] = last[node];
#ifdef BUG_SERVES_BEFORE_ITS_LOG_IS_COMMITTED
    role[node] = PRIMARY
#else
    role[node] = TAKING_OVER
#endif
}

/* [replication_on_appended] Somebody leads a newer epoch. Which, the record will say. */
inline lead_nothing(node) {
    printf("%d hears of a newer epoch and leads nothing any more\n", node);
    replicas_forget(node);
    role[node] = NONE
}

/* [follow] */
inline follow(node) {
    replicas_forget(node);
    matched[node] = 0;
    role[node] = REPLICA
}

/* By a record that this life has not asked for. As if the primary were silent. [the end of replication_on_record] */
inline named(node) {
    follow(node)
#ifdef BUG_IS_NAMED_AND_DOES_NOT_WAIT
    ;want[node] = LEAD
#endif
}

/* ---- the coordinator ---- */

/* [take_over_if_silent] */
#ifdef BUG_TAKES_OVER_OUT_OF_SYNC
#define MAY_ASK_TO_LEAD(node) (role[node] == REPLICA && want[node] == NOTHING)
#else
#define MAY_ASK_TO_LEAD(node) (role[node] == REPLICA && want[node] == NOTHING && (IN_SYNC_OF(node) & BIT(node)))
#endif

/* [wants_fewer_or_more_in_sync] Not while taking over: then less may be known as committed than was acknowledged. */
#define IS_LEARNER(node, replica) (!(IN_SYNC_OF(node) & BIT(replica)))
#define HAS_COMMITTED(node, replica) (ACKNOWLEDGED(node, replica) >= committed[node])
#define HAS_LENT(node, replica) (ACKNOWLEDGED(node, replica) >= alone_until[node])
#ifdef BUG_TAKES_IN_WHAT_LACKS_ENTRIES
#define MAY_TAKE_IN(node, replica) (role[node] == PRIMARY && IS_LEARNER(node, replica))
#elif defined(BUG_TAKES_IN_BEHIND_WHAT_COMMITS_ALONE)
#define MAY_TAKE_IN(node, replica) \
    (role[node] == PRIMARY && IS_LEARNER(node, replica) && HAS_COMMITTED(node, replica))
#elif defined(BUG_TAKES_IN_WHILE_TAKING_OVER)
#define MAY_TAKE_IN(node, replica) \
    (IS_LEARNER(node, replica) && HAS_COMMITTED(node, replica) && HAS_LENT(node, replica))
#else
#define MAY_TAKE_IN(node, replica) \
    (role[node] == PRIMARY && IS_LEARNER(node, replica) && HAS_COMMITTED(node, replica) && HAS_LENT(node, replica))
#endif

/* [holders_hand_over] No write is taken once it is asked for, and all that were are with everybody in sync. */
#ifdef BUG_HANDS_OVER_TO_A_LEARNER
#define MAY_HAND_OVER(node, replica) (role[node] == PRIMARY && committed[node] == last[node])
#else
#define MAY_HAND_OVER(node, replica) \
    (role[node] == PRIMARY && committed[node] == last[node] && !IS_LEARNER(node, replica))
#endif

/* The record that is asked for. [holders_ask_to_lead, wants_fewer_or_more_in_sync, holders_hand_over] */
#define WANTED_EPOCH(node) (EPOCH_OF(node) + (want[node] == LEAD || IS_ASKED(node, HAND)))
#define WANTED_PRIMARY(node) \
    (want[node] == LEAD -> (node) : (IS_ASKED(node, HAND) -> want[node] - HAND : PRIMARY_OF(node)))
#define WANTED_IN_SYNC(node)                                                                                  \
    (want[node] == LEAD -> IN_SYNC_OF(node) & ~(PRIMARY_OF(node) == node -> 0 : BIT(PRIMARY_OF(node)))        \
                         : (IS_ASKED(node, OUT) -> IN_SYNC_OF(node) & ~BIT(want[node] - OUT) : REQUIRED(node)))
#ifdef BUG_TAKES_OVER_AS_IF_IT_WERE_GIVEN
#define WANTED_HANDED(node) (IS_ASKED(node, HAND) || record_handed[version[node]])
#else
#define WANTED_HANDED(node) (IS_ASKED(node, HAND) || (want[node] != LEAD && record_handed[version[node]]))
#endif
#ifdef BUG_REQUIRES_OLD_RECORD_ONLY
#undef WANTED_IN_SYNC
#define WANTED_IN_SYNC(node)                                                                                  \
    (want[node] == LEAD -> IN_SYNC_OF(node) & ~(PRIMARY_OF(node) == node -> 0 : BIT(PRIMARY_OF(node)))        \
                         : (IS_ASKED(node, OUT) -> IN_SYNC_OF(node) & ~BIT(want[node] - OUT)                  \
                         : (IS_ASKED(node, IN) -> IN_SYNC_OF(node) | BIT(want[node] - IN) : IN_SYNC_OF(node))))
#endif

/* Whether the record makes this node lead without having asked for that. The last primary asked for it, and no life of
 * this node has led the epoch. */
#ifdef BUG_TAKES_BEING_NAMED_FOR_A_HAND_OVER
#define IS_GIVEN(seen) true
#else
#define IS_GIVEN(seen) record_handed[seen]
#endif

/* The coordinator's record has become known. A swap that was asked for is decided with that: it is this record, was one
 * before it, or will never be one. So an answer of the coordinator needs no packet of its own, and one that is lost is
 * a record that becomes known late. [replication_on_record, replication_on_swapped] */
inline learn(node, seen) {
    is_ours = want[node] != NOTHING && WANTED_EPOCH(node) == record_epoch[seen] &&
              WANTED_PRIMARY(node) == record_primary[seen] && WANTED_IN_SYNC(node) == record_in_sync[seen] &&
              WANTED_HANDED(node) == record_handed[seen];
    is_new_epoch = EPOCH_OF(node) != record_epoch[seen];
    is_given = IS_GIVEN(seen);
    printf("%d learns version %d\n", node, seen);
    version[node] = seen;
    want[node] = NOTHING;
    if
    :: PRIMARY_OF(node) != node ->
        if
        :: is_new_epoch || role[node] != REPLICA -> follow(node)
        :: else
        fi
    :: PRIMARY_OF(node) == node && !is_new_epoch && LEADS(node) -> commit(node)
    :: PRIMARY_OF(node) == node && (is_new_epoch || !LEADS(node)) ->
        if
#ifdef BUG_LEADS_AGAIN_IN_ITS_EPOCH
        :: is_ours || is_given -> lead(node); commit(node)
        :: !is_ours && !is_given -> named(node)
#else
        :: is_new_epoch && (is_ours || is_given) -> lead(node); commit(node)
        :: !is_new_epoch || (!is_ours && !is_given) -> named(node)
#endif
        fi
    fi;
    is_ours = 0;
    is_new_epoch = 0;
    is_given = 0
}

inline swap(node) {
    record_epoch[current + 1] = WANTED_EPOCH(node);
    record_primary[current + 1] = WANTED_PRIMARY(node);
    record_in_sync[current + 1] = WANTED_IN_SYNC(node);
    record_handed[current + 1] = WANTED_HANDED(node);
    current++;
    printf("the coordinator does what %d asked: version %d, epoch %d, primary %d, in sync %d\n", node, current,
           record_epoch[current], record_primary[current], record_in_sync[current])
}

inline swap_leave_behind(node) {
    late_version = version[node];
    late_epoch = WANTED_EPOCH(node);
    late_primary = WANTED_PRIMARY(node);
    late_in_sync = WANTED_IN_SYNC(node);
    late_handed = WANTED_HANDED(node)
}

inline late_swap() {
    current++;
    record_epoch[current] = late_epoch;
    record_primary[current] = late_primary;
    record_in_sync[current] = late_in_sync;
    record_handed[current] = late_handed;
    printf("the coordinator does what was asked long ago: version %d, epoch %d, primary %d, in sync %d\n", current,
           record_epoch[current], record_primary[current], record_in_sync[current])
}

inline late_swap_forget() {
    late_version = 0;
    late_epoch = 0;
    late_primary = 0;
    late_in_sync = 0;
    late_handed = 0
}

/* Time is only an order. [take_over_if_silent, replication_is_from_primary, replication_has_lease] A backup asks to lead when it has waited so long that no echo it has ever sent is good for a
 * lease any more, and echoes nothing while the answer is open. Until then its primary has a lease from it as soon as it
 * may have one: the echo is taken to arrive with no delay. */
#ifdef BUG_ECHOES_AFTER_ASKING
#define ECHOES_TO(node, primary) \
    (role[node] == REPLICA && PRIMARY_OF(node) == primary && EPOCH_OF(node) == EPOCH_OF(primary))
#else
#define ECHOES_TO(node, primary)                                                                      \
    (role[node] == REPLICA && want[node] == NOTHING && PRIMARY_OF(node) == primary &&                  \
     EPOCH_OF(node) == EPOCH_OF(primary))
#endif

inline leases_run_out(node) {
    other = 0;
    do
    :: other < NODES -> lease[other] = lease[other] & ~BIT(node); other++
    :: else -> break
    od;
    other = 0
}

inline leases_renew() {
    other = 0;
    do
    :: other < NODES ->
        if
        :: LEADS(other) ->
            place = 0;
            do
            :: place < NODES ->
                lease[other] = lease[other] | (ECHOES_TO(place, other) -> BIT(place) : 0);
                place++
            :: else -> break
            od
        :: else
        fi;
        other++
    :: else -> break
    od;
    place = 0;
    other = 0
}

/* ---- packets ---- */

/* [sending_append] */
inline append_fill(slot, sender, receiver, index) {
    append_from[slot] = sender;
    append_to[slot] = receiver;
    append_epoch[slot] = EPOCH_OF(sender);
    append_last[slot] = index;
    append_committed[slot] = committed[sender];
    place = 1;
    do
    :: place <= ENTRIES -> APPENDED_ENTRY(slot, place) = (place <= index -> LOG(sender, place) : 0); place++
    :: else -> break
    od;
    place = 0
}

inline append_clear(slot) {
    append_from[slot] = 0;
    append_to[slot] = 0;
    append_epoch[slot] = 0;
    append_last[slot] = 0;
    append_committed[slot] = 0;
    place = 1;
    do
    :: place <= ENTRIES -> APPENDED_ENTRY(slot, place) = 0; place++
    :: else -> break
    od;
    place = 0
}

#ifdef BUG_OLDER_EPOCH_IS_TAKEN
#define TAKES_FROM(node, sender, epoch) (epoch <= EPOCH_OF(node))
#else
#define TAKES_FROM(node, sender, epoch) (epoch == EPOCH_OF(node) && sender == PRIMARY_OF(node))
#endif
#define TAKES_APPEND(node, sender, epoch) \
    (role[node] == REPLICA && want[node] == NOTHING && TAKES_FROM(node, sender, epoch))

/* Entries behind `previous`, which must match; only epochs are compared. [replication_on_append, entries_take] */
inline append_take(node, slot, previous) {
    if
    :: TAKES_APPEND(node, append_from[slot], append_epoch[slot]) ->
        if
#ifdef BUG_APPENDS_WITHOUT_MATCHING
        :: previous <= last[node] ->
#else
        :: previous == 0 || (previous <= last[node] &&
                             ENTRY_EPOCH(LOG(node, previous)) == ENTRY_EPOCH(APPENDED_ENTRY(slot, previous))) ->
#endif
            place = previous + 1;
            do
            :: place <= append_last[slot] ->
                if
                :: place <= last[node] &&
                   ENTRY_EPOCH(LOG(node, place)) != ENTRY_EPOCH(APPENDED_ENTRY(slot, place)) ->
                    assert(place > committed[node]);
                    truncate(node, place - 1)
                :: else
                fi;
                if
                :: place > last[node] -> last[node] = place; LOG(node, place) = APPENDED_ENTRY(slot, place)
                :: else
                fi;
                place++
            :: else -> break
            od;
            place = 0;
            if
            :: append_last[slot] > matched[node] -> matched[node] = append_last[slot]
            :: else
            fi;
            least = MIN(append_committed[slot], matched[node]);
            committed_to(node, least, false);
            least = 0
        :: else
        fi
    :: else
    fi
}

#define MAY_ACKNOWLEDGE(node) (role[node] == REPLICA && want[node] == NOTHING && PRIMARY_OF(node) != node)

/* [receiving_answer] */
inline appended_fill(slot, node) {
    appended_from[slot] = node;
    appended_to[slot] = PRIMARY_OF(node);
    appended_epoch[slot] = EPOCH_OF(node);
#ifdef BUG_ACKNOWLEDGES_WHAT_MAY_NOT_MATCH
    appended_durable[slot] = durable[node]
#elif defined(BUG_ACKNOWLEDGES_BEFORE_ITS_DISK_HAS_IT)
    appended_durable[slot] = MIN(last[node], matched[node])
#else
    appended_durable[slot] = MIN(durable[node], matched[node])
#endif
}

inline appended_clear(slot) {
    appended_from[slot] = 0;
    appended_to[slot] = 0;
    appended_epoch[slot] = 0;
    appended_durable[slot] = 0
}

/* [replication_on_appended, acknowledged] */
inline appended_take(slot) {
    if
    :: LEADS(appended_to[slot]) && appended_epoch[slot] == EPOCH_OF(appended_to[slot]) ->
        if
        :: appended_durable[slot] > ACKNOWLEDGED(appended_to[slot], appended_from[slot]) ->
            ACKNOWLEDGED(appended_to[slot], appended_from[slot]) = appended_durable[slot]
        :: else
        fi;
        commit(appended_to[slot])
    :: else
    fi
}

/* ---- loss ---- */

/* What is on the disk, and the record as it is now. [replication_init, then replication_on_record] */
inline restart(node) {
    printf("%d restarts\n", node);
    losses++;
    life[node] = (PRIMARY_OF(node) == node -> 1 - life[node] : life[node]);
    last[node] = 0;
    place = 1;
    do
    :: place <= ENTRIES ->
        LOG(node, place) = DISK(node, place);
        last[node] = last[node] + (LOG(node, place) != 0);
        place++
    :: else -> break
    od;
    place = 0;
    committed[node] = MIN(committed[node], durable[node]); /* what was applied was durable */
    durable[node] = last[node];
    want[node] = NOTHING;
    version[node] = current;
#ifdef BUG_STALE_DISK_COMPLETION
    written[node] = 0;
#endif
    if
#ifdef BUG_RESTARTS_IN_ITS_EPOCH
    :: PRIMARY_OF(node) == node -> lead(node); commit(node)
#elif defined(BUG_LEADS_WHAT_AN_EARLIER_LIFE_WAS_GIVEN)
    :: PRIMARY_OF(node) == node && record_handed[current] -> lead(node); commit(node)
    :: PRIMARY_OF(node) == node && !record_handed[current] -> named(node)
#else
    :: PRIMARY_OF(node) == node -> named(node)
#endif
    :: else -> follow(node)
    fi
}

/* What is not durable leaves the log; others may have it, so its places are not to be used again in this epoch.
 * [replication_on_refused] */
inline refuse(node) {
    printf("the disk of %d refuses\n", node);
    losses++;
    life[node] = (PRIMARY_OF(node) == node -> 1 - life[node] : life[node]);
    truncate(node, durable[node]);
    if
    :: LEADS(node) ->
        follow(node);
        want[node] = (want[node] == NOTHING -> LEAD : want[node])
    :: else
    fi
}

/* ---- what must hold after each step ---- */

inline verify() {
    other = 0;
    do
    :: other < NODES ->
        /* No committed entry is lost: whom the coordinator names has all of them when it leads. */
        if
        :: LEADS(other) && EPOCH_OF(other) == record_epoch[current] && record_primary[current] == other ->
            place = 1;
            do
            :: place <= acknowledged_last ->
                assert(LOG(other, place) == acknowledged[place - 1]);
                place++
            :: else -> break
            od
        :: else
        fi;
        /* No stale read. */
        if
        :: MAY_READ(other) -> assert(committed[other] == acknowledged_last)
        :: else
        fi;
        other++
    :: else -> break
    od;
    other = 0;
    place = 0
}

/* What can have no effect any more is forgotten: two states that differ only in that are one. */
inline tidy() {
    if
    :: append_epoch[1] && append_epoch[1] < EPOCH_OF(append_to[1]) ->
#ifndef BUG_OLDER_EPOCH_IS_TAKEN
        append_clear(1)
#else
        skip
#endif
    :: else
    fi;
    if
    :: appended_epoch[1] && appended_epoch[1] < EPOCH_OF(appended_to[1]) -> appended_clear(1)
    :: else
    fi;
    if
    :: late_version < current -> late_swap_forget()
    :: else
    fi;
    least = current;
    other = 0;
    do
    :: other < NODES -> least = MIN(least, version[other]); other++
    :: else -> break
    od;
    other = 1;
    do
    :: other < least ->
        record_epoch[other] = 0;
        record_primary[other] = 0;
        record_in_sync[other] = 0;
        record_handed[other] = 0;
        other++
    :: else -> break
    od;
    other = 0;
    least = 0
}

#ifndef GOAL
#define GOAL 0
#endif
#if GOAL == 1 /* two replicas acknowledge, and the primary may read */
#define IS_REACHED (acknowledged_last == ENTRIES && MAY_READ(0) && EPOCH_OF(0) == 1)
#elif GOAL == 2 /* a backup takes over from a silent primary, which has not noticed, and acknowledges */
#define IS_REACHED (role[1] == PRIMARY && !(IN_SYNC_OF(1) & BIT(0)) && LEADS(0) && ENTRY_EPOCH(acknowledged[0]) == 2)
#elif GOAL == 3 /* a learner is taken in, later takes over, and acknowledges */
#define IS_REACHED (role[2] == PRIMARY && ENTRY_EPOCH(acknowledged[0]) == 1 && ENTRY_EPOCH(acknowledged[1]) > 1)
#elif GOAL == 4 /* a primary restarts, takes a new epoch and acknowledges with a backup */
#define IS_REACHED (role[0] == PRIMARY && ENTRY_EPOCH(acknowledged[0]) == 2 && IN_SYNC_OF(0) == 3)
#elif GOAL == 5 /* hand-over: the old primary stays in sync, the new one acknowledges and may read */
#define IS_REACHED (MAY_READ(1) && IN_SYNC_OF(1) == 3 && version[1] == 2 && \
                    ENTRY_EPOCH(acknowledged[0]) == 1 && ENTRY_EPOCH(acknowledged[1]) == 2)
#elif GOAL == 6 /* an old primary loses its tail to the new one and is in sync again */
#define IS_REACHED (role[1] == PRIMARY && (IN_SYNC_OF(1) & BIT(0)) && PRIMARY_OF(0) == 1 && \
                    ENTRY_EPOCH(DISK(0, 1)) == 1 && ENTRY_EPOCH(LOG(0, 1)) == 2)
#elif GOAL == 7 /* a primary whose disk refused serves again, in a new epoch */
#define IS_REACHED (MAY_READ(0) && EPOCH_OF(0) == 2 && IN_SYNC_OF(0) == 3 && life[0] == 1 && \
                    acknowledged_last == 1 && ENTRY_EPOCH(acknowledged[0]) == 1)
#endif

inline node_pick() {
    if
    :: n = 0
    :: n = 1
    :: n = 2
    fi
}

inline other_pick() {
    if
    :: r = (n + 1) % NODES
    :: r = (n + 2) % NODES
    fi
}

inline index_pick(picked, least_index, most_index) {
    picked = least_index;
    do
    :: picked < most_index -> picked++
    :: break
    od;
    skip /* a jump must not end in a d_step */
}

active proctype step() {
    byte n, r, k, previous;            /* who does what */
    byte other, place, least;          /* of the inlines; 0 between steps */
    bit is_ours, is_new_epoch, is_given;
#ifdef BUG_COMMITS_WITHOUT_ONE
    bit spared;
#endif
    d_step {
        current = 1;
        record_epoch[1] = 1;
        record_primary[1] = 0;
        record_in_sync[1] = BIT(0) | BIT(1);
        version[0] = 1;
        version[1] = 1;
        version[2] = 1;
        role[0] = PRIMARY;
        role[1] = REPLICA;
        role[2] = REPLICA;
        leases_renew()
    }
    do
    :: atomic {
        node_pick();
        if
        /* The disk and clients. */
        :: role[n] == PRIMARY && !IS_ASKED(n, HAND) && last[n] < ENTRIES ->
            d_step {
                last[n]++;
                LOG(n, last[n]) = EPOCH_OF(n) * 2 + life[n];
                alone_until[n] = (REQUIRED(n) == BIT(n) -> last[n] : alone_until[n]);
                printf("%d proposes entry %d of epoch %d\n", n, last[n], EPOCH_OF(n))
            }
        :: durable[n] < last[n] ->
            d_step {
                place = 1;
                do
                :: place <= ENTRIES -> DISK(n, place) = LOG(n, place); place++
                :: else -> break
                od;
                place = 0;
                durable[n] = last[n];
                printf("%d has everything to entry %d on its disk\n", n, last[n]);
                commit(n)
            }
#ifdef BUG_STALE_DISK_COMPLETION
        :: written[n] ->
            d_step {
                printf("%d is told that entry %d is on its disk, but that one has left the log\n", n, written[n]);
                durable[n] = MIN(written[n], last[n]);
                written[n] = 0;
                commit(n)
            }
#endif
        /* The network. */
        :: LEADS(n) ->
            other_pick();
            index_pick(k, 0, last[n]);
            if
            :: TAKES_APPEND(r, n, EPOCH_OF(n)) ->
                index_pick(previous, 0, k);
                d_step {
                    printf("%d sends entries %d to %d to %d\n", n, previous + 1, k, r);
                    append_fill(0, n, r, k);
                    append_take(r, 0, previous);
                    append_clear(0)
                }
            :: HELD && EPOCH_OF(n) >= EPOCH_OF(r) ->
                d_step {
                    printf("%d sends entries 1 to %d to %d, but that is held up\n", n, k, r);
                    append_fill(1, n, r, k);
                    if
                    :: HELD == 1 -> appended_clear(1)
                    :: else
                    fi
                }
            :: else
            fi
        :: append_epoch[1] && append_to[1] == n ->
            index_pick(previous, 0, append_last[1]);
            d_step {
                printf("held up, reaches %d: entries %d to %d\n", n, previous + 1, append_last[1]);
                append_take(n, 1, previous)
            }
        :: LEADS(n) && (EPOCH_OF((n + 1) % NODES) > EPOCH_OF(n) || EPOCH_OF((n + 2) % NODES) > EPOCH_OF(n)) ->
            d_step { lead_nothing(n) }
        :: MAY_ACKNOWLEDGE(n) ->
            if
            :: LEADS(PRIMARY_OF(n)) ->
                d_step {
                    appended_fill(0, n);
                    printf("%d acknowledges entry %d to %d\n", n, appended_durable[0], PRIMARY_OF(n));
                    appended_take(0);
                    appended_clear(0)
                }
            :: HELD && EPOCH_OF(n) >= EPOCH_OF(PRIMARY_OF(n)) ->
                d_step {
                    appended_fill(1, n);
                    printf("%d acknowledges entry %d, but that is held up\n", n, appended_durable[1]);
                    if
                    :: HELD == 1 -> append_clear(1)
                    :: else
                    fi
                }
            :: else
            fi
        :: appended_epoch[1] && appended_to[1] == n ->
            d_step {
                printf("held up, reaches %d: %d acknowledges entry %d\n", n, appended_from[1],
                       appended_durable[1]);
                appended_take(1)
            }
        /* What nodes ask for. */
        :: MAY_ASK_TO_LEAD(n) ->
            d_step {
                printf("%d has waited and asks to lead\n", n);
                want[n] = LEAD;
#ifndef BUG_TAKES_OVER_WITHOUT_WAITING
                leases_run_out(n);
#endif
                leases_renew()
            }
        :: LEADS(n) && want[n] == NOTHING ->
            other_pick();
            if
            :: IN_SYNC_OF(n) & BIT(r) ->
                d_step { printf("%d asks to take %d out of sync\n", n, r); want[n] = OUT + r }
            :: MAY_TAKE_IN(n, r) -> d_step { printf("%d asks to take %d in\n", n, r); want[n] = IN + r }
            :: MAY_HAND_OVER(n, r) -> d_step { printf("%d asks to hand over to %d\n", n, r); want[n] = HAND + r }
            :: else
            fi
        /* The coordinator. */
        :: want[n] != NOTHING && version[n] == current && current < VERSIONS && WANTED_EPOCH(n) <= EPOCHS ->
            d_step { swap(n) }
#ifdef BUG_SWAPS_WITHOUT_COMPARING
        :: want[n] != NOTHING && version[n] < current && current < VERSIONS && WANTED_EPOCH(n) <= EPOCHS ->
            d_step { swap(n) }
#endif
#ifdef BUG_UNKNOWN_OUTCOME_IS_FAILURE
        :: want[n] != NOTHING && late_version == 0 ->
            d_step {
                printf("%d takes it as refused\n", n);
                swap_leave_behind(n);
                want[n] = NOTHING;
                commit(n);
                leases_renew()
            }
#endif
        :: n == 0 && late_version == current && current < VERSIONS && late_epoch <= EPOCHS ->
            d_step { late_swap() }
        :: version[n] < current ->
            index_pick(k, version[n] + 1, current);
            d_step { learn(n, k); leases_renew(); tidy() }
        /* Loss. A node that is down is one that has long not taken a step. */
        :: losses < LOSSES ->
            if
            :: true
            :: committed[n] > 0 -> committed[n] = 0
            fi;
            if
            :: true
            :: want[n] != NOTHING && version[n] == current && late_version == 0 -> d_step { swap_leave_behind(n) }
            fi;
            d_step { restart(n); leases_renew(); tidy() }
        :: losses < LOSSES && durable[n] < last[n] -> d_step { refuse(n) }
        :: else
        fi;
        d_step {
            n = 0;
            r = 0;
            k = 0;
            previous = 0;
            verify()
#if GOAL
            ;assert(!(IS_REACHED))
#endif
        }
    }
    od
}
