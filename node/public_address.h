#pragma once
/* How clients reach this node, as its record tells the cluster: consoles and weftctl go on there when theirs is silent.
 */
#include "node/config.h"
#include "proto/node_record.h"

/* public_url, or made from `listen` with the port really bound. Empty where that would lead nowhere, or to somebody
 * else: it listens on every address, or on this machine only and has nodes on others. */
void public_address_make(const struct config *config, uint16_t port, char address[NODE_ADDRESS_BYTES_MAX + 1]);
