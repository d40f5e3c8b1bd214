// What a trusted service does: it has the connection string, makes users and their tokens, makes threads, and puts users
// into them. Here a thread is a room with a name. Nothing in this file knows Weft: it is written for the vendor's service.

import { randomUUID } from "node:crypto";
import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";

export class TrustedService {
    #identity;
    #memory;
    #endpoints;
    #turn = 0;
    #last = Promise.resolve();

    /** `endpoints`: where clients are sent, one after the other; behind a balancer there is one. */
    constructor(connectionString, endpoints, memory) {
        this.#identity = new CommunicationIdentityClient(connectionString);
        this.#endpoints = endpoints;
        this.#memory = memory;
    }

    /** A user called `name` in the room, which is made if it is not there: all that her client needs. */
    join(room, name) {
        return this.#oneAtATime(async () => {
            const { user, token, expiresOn } = await this.#identity.createUserAndToken(["chat"]);
            const house = await this.#house();
            const threadId = this.#memory.rooms[room] ?? (await this.#newRoom(house, room));
            await house.getChatThreadClient(threadId).addParticipants({ participants: [{ id: user, displayName: name }] });
            const session = randomUUID();
            this.#memory.sessions[session] = user.communicationUserId;
            this.#memory.save();
            return { endpoint: this.#nextEndpoint(), userId: user.communicationUserId, displayName: name, token, expiresOn, threadId, session };
        });
    }

    /** A new token for whoever joined with this session; tokens end after a day at most. */
    async renew(session) {
        return this.#identity.getToken(this.#userOf(session), ["chat"]);
    }

    /** She reads what was said until now, and nothing later. */
    async leave(room, session) {
        const user = this.#userOf(session);
        const house = await this.#house();
        await house.getChatThreadClient(this.#memory.rooms[room]).removeParticipant(user);
    }

    #userOf(session) {
        const id = this.#memory.sessions[session];
        if (!id) throw Object.assign(new Error("nobody joined with this session"), { status: 401 });
        return { communicationUserId: id };
    }

    // Whoever makes a thread is in it: the house is a user of its own, which is in every room and says nothing.
    async #house() {
        if (!this.#memory.house) {
            this.#memory.house = (await this.#identity.createUser()).communicationUserId;
            this.#memory.save();
        }
        const user = { communicationUserId: this.#memory.house };
        const tokenRefresher = async () => (await this.#identity.getToken(user, ["chat"])).token;
        return new ChatClient(this.#endpoints[0], new AzureCommunicationTokenCredential({ tokenRefresher }));
    }

    async #newRoom(house, room) {
        const { chatThread } = await house.createChatThread({ topic: room });
        this.#memory.rooms[room] = chatThread.id;
        return chatThread.id;
    }

    #nextEndpoint() {
        return this.#endpoints[this.#turn++ % this.#endpoints.length];
    }

    // Two who join at once must not make the room twice.
    #oneAtATime(task) {
        const done = this.#last.then(task);
        this.#last = done.catch(() => {});
        return done;
    }
}
