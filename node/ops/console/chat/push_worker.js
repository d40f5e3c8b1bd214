// Shows what the server tells this browser while its page is closed: a push event has the JSON of chatMessageReceived
// (contract 10.1). It keeps nothing and answers no requests, so the page works without it as before.

const TEXT_MAX = 200;

function textOf({ messageBody = '', messageType }) {
    const text = messageType === 'RichText/Html' ? messageBody.replace(/<[^>]*>?/g, '') : messageBody;
    return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

async function show(told) {
    const windows = await clients.matchAll({ type: 'window', includeUncontrolled: true });
    // Whoever looks at the page sees the message there.
    if (windows.some(({ visibilityState }) => visibilityState === 'visible')) return;
    await registration.showNotification(told.senderDisplayName || 'New message', {
        body: textOf(told), tag: told.groupId, renotify: true, icon: '/app/favicon.svg', data: { thread: told.groupId },
    });
}

addEventListener('push', (event) => {
    let told;
    try {
        told = event.data.json();
    } catch {
        told = {};
    }
    event.waitUntil(show(told));
});

addEventListener('notificationclick', (event) => {
    event.notification.close();
    const { thread } = event.notification.data;
    event.waitUntil(clients.openWindow(thread ? `/#${new URLSearchParams({ thread })}` : '/'));
});
