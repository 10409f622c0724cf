# The links of the site that scripts/docs.sh makes. Reads, in the site's directory, a list of all its files and then each of its
# pages and style sheets, as `awk -f site.awk files page.html ...`. Prints, with the page it is on, each link to a file or to an
# anchor that is not there, and each page that no text leads to: neither the list at the side nor the arrows count for that.

# Where a link on this page leads.
function target(page, link,    path) {
    path = link
    sub(/#.*/, "", path)
    if (path == "") return page
    sub(/[^\/]*$/, "", page)
    path = page path
    while (path !~ /^\.\.\// && match(path, /[^\/]+\/\.\.\//)) path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
    return path
}

FNR == NR { there[$0]; next }
FNR == 1 { text = 0; pages += FILENAME ~ /\.html$/ }
/<main>/ { text = 1 }
{
    rest = $0
    while (match(rest, /[ <](href|src|id)="[^"]*"|url\([^)]*\)/)) {
        value = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        kind = substr(value, 2, 2)
        gsub(/^[^"(]*["(]["']?|["']?[")]$/, "", value)
        if (kind == "id") { anchors[FILENAME "#" value]; continue }
        if (value ~ /^(https?|mailto|data):/) continue
        links++
        from[links] = FILENAME; link[links] = value; of_text[links] = text
    }
}
/<\/main>/ { text = 0 }

END {
    for (i = 1; i <= links; i++) {
        to = target(from[i], link[i])
        if (!(to in there)) print from[i] ": no file for " link[i]
        else if (link[i] ~ /#./) {
            anchor = link[i]; sub(/^[^#]*/, "", anchor)
            if (!((to anchor) in anchors)) print from[i] ": no anchor for " link[i]
        }
    }
    found["index.html"]
    do {
        more = 0
        for (i = 1; i <= links; i++) if (of_text[i] && from[i] in found) {
            to = target(from[i], link[i])
            if (!(to in found)) { found[to]; more = 1 }
        }
    } while (more)
    for (file in there) if (file ~ /\.html$/ && file != "toc.html" && !(file in found)) print file ": nothing leads there"
    print pages " pages, " links " links"
}
