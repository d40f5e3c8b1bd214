// This browser as a device that is told of messages while the page is closed (Web Push), where browser and server can.

const WORKER = '/app/push_worker.js';

export const canNotify = () => 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window;

async function subscriptionNow() {
    const worker = await navigator.serviceWorker.getRegistration(WORKER);
    return worker?.pushManager.getSubscription();
}

// `chat`: a ChatClient.
export class PushClient {
    constructor(chat) {
        this.chat = chat;
    }

    async start() {
        const { publicKey } = await this.chat.pushKey();
        if ((await Notification.requestPermission()) !== 'granted') throw new Error('The browser does not allow notifications.');
        const worker = await navigator.serviceWorker.register(WORKER);
        const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: publicKey });
        const { id } = await this.chat.registerPush(subscription.toJSON());
        localStorage.setItem('weft.push', id);
    }

    get isOn() {
        return localStorage.getItem('weft.push') !== null;
    }

    async stop() {
        const id = localStorage.getItem('weft.push');
        localStorage.removeItem('weft.push');
        await (await subscriptionNow())?.unsubscribe();
        await this.chat.unregisterPush(id);
    }
}
