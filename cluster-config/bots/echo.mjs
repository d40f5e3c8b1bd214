// Says again what it is told, in the answer itself: such answers are said exactly once.

const plain = (activity) => (activity.textFormat === "xml" ? activity.text.replace(/<[^>]*>/g, "") : activity.text);

export const echo = {
    expectsReplies: true,
    onActivity(activity) {
        if (activity.type === "message") return [{ type: "message", text: `You said: ${plain(activity)}` }];
        const isAdded = activity.type === "conversationUpdate" && activity.membersAdded?.some(({ id }) => id === activity.recipient.id);
        return isAdded ? [{ type: "message", text: "Hello! I say again what you say." }] : [];
    },
};
