// Asks the trusted service for a user in a room, and shows the official ChatComposite for her. ?name=…&room=… joins at once.

import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatComposite, createAzureCommunicationChatAdapter } from "@azure/communication-react";
import { createRoot } from "react-dom/client";

async function ask(path, session, body = {}) {
    const headers = { "Content-Type": "application/json", ...(session ? { Authorization: `Bearer ${session}` } : {}) };
    const answer = await fetch(document.documentElement.dataset.service + path, { method: "POST", headers, body: JSON.stringify(body) });
    const json = await answer.json();
    if (!answer.ok) throw new Error(json.error);
    return json;
}

async function join(name, room) {
    const { endpoint, userId, displayName, token, threadId, session } = await ask("/join", null, { name, room });
    const tokenRefresher = async () => (await ask("/token", session)).token;
    const adapter = await createAzureCommunicationChatAdapter({
        endpoint,
        userId: { communicationUserId: userId },
        displayName,
        credential: new AzureCommunicationTokenCredential({ token, tokenRefresher }),
        threadId,
    });
    const chat = document.getElementById("chat");
    chat.hidden = false;
    createRoot(chat).render(<ChatComposite adapter={adapter} />);
}

const form = document.getElementById("join");

async function start() {
    const { name, room } = Object.fromEntries(new FormData(form));
    form.hidden = true;
    await join(name, room).catch((error) => {
        form.hidden = false;
        document.getElementById("problem").textContent = error.message;
    });
}

form.addEventListener("submit", (event) => {
    event.preventDefault();
    start();
});
for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
if (form.checkValidity()) start();
