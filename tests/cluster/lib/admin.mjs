// Requests to the admin interface of a node.

/** `{status, json, …}`; what is not a success is for the caller to judge. */
export function admin(world, method, path, body) {
    return world.exchange(method, path, { headers: { Authorization: `Bearer ${world.node.adminToken}` }, body });
}

/** The cluster as the node sees it. */
export async function clusterAt(world) {
    const { status, json, text } = await admin(world, "GET", "/admin/cluster");
    if (status !== 200) throw new Error(`no cluster: ${status} ${text}`);
    return json;
}
