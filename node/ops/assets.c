#include "node/ops/assets.h"

const struct asset *asset_find(struct bytes path) {
    for (const struct asset *asset = asset_table; asset->path != NULL; asset++) {
        if (bytes_equal_text(path, asset->path)) {
            return asset;
        }
    }
    return NULL;
}
