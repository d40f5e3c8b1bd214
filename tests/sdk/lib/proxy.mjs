// A TCP proxy on 127.0.0.1 that can be cut: every connection dies at once, and new ones are refused until it is mended.
// In front of several nodes it is what balances them: each connection goes to another one.

import net from "node:net";

export class Proxy {
    /** `nextPort()`: where the next connection leads to. */
    constructor(nextPort) {
        this.nextPort = nextPort;
        this.pairs = new Set();
        this.isCut = false;
        this.refused = 0;
    }

    async listen() {
        this.server = net.createServer((client) => {
            if (this.isCut) {
                this.refused++;
                client.resetAndDestroy();
                return;
            }
            const upstream = net.connect(this.nextPort(), "127.0.0.1");
            const pair = [client, upstream];
            this.pairs.add(pair);
            const end = () => {
                this.pairs.delete(pair);
                client.destroy();
                upstream.destroy();
            };
            for (const socket of pair) socket.setNoDelay(true).on("error", end).on("close", end);
            client.pipe(upstream).pipe(client);
        });
        await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
        this.port = this.server.address().port;
        this.endpoint = `https://127.0.0.1:${this.port}`;
        return this;
    }

    cut() {
        this.isCut = true;
        for (const pair of this.pairs) for (const socket of pair) socket.resetAndDestroy();
    }
    mend() {
        this.isCut = false;
    }
    close() {
        this.cut();
        this.server.close();
    }
}
