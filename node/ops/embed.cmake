# Writes OUTPUT, a C file with the table of the embedded web page, from FILES (a list) in FOLDER. Run with cmake -P.
# Each asset: path in the folder, content type, entity tag (from the SHA-256 of the bytes), bytes.
set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_svg "image/svg+xml")

set(arrays "")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
    file(RELATIVE_PATH path ${FOLDER} ${file})
    get_filename_component(extension ${file} LAST_EXT)
    string(SUBSTRING ${extension} 1 -1 extension)
    file(READ ${file} hex HEX)
    file(SHA256 ${file} digest)
    string(SUBSTRING ${digest} 0 32 tag)
    string(LENGTH "${hex}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," values "${hex}")
    # The last byte keeps an empty file from being an empty array, which C does not have.
    string(APPEND arrays "static const uint8_t asset_${number}[] = {${values}0};\n")
    string(APPEND rows
           "    {\"${path}\", \"${type_${extension}}\", \"\\\"${tag}\\\"\", {asset_${number}, ${size}}},\n")
    math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUTPUT} "#include \"node/ops/assets.h\"\n\n${arrays}
const struct asset asset_table[] = {
${rows}    {NULL, NULL, NULL, {NULL, 0}},
};
")
