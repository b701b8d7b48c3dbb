# awk -v src=DIR -v levels='a;b c;..' -f arrows.awk DIR/lib.rs FILE..
# Reads the paths in these files that start at `crate`, `super` or `self`, past comments, strings and inline modules, and
# refuses those that lead to a module of the same or a higher level. Names that `use` has brought in need no look: the
# `use` that brought them is one of those paths.

BEGIN {
    quote = sprintf("%c", 39)
    lines = split(levels, line, ";")
    for (i = 1; i <= lines; i++) {
        names = split(line[i], name, " ")
        for (j = 1; j <= names; j++) { level[name[j]] = i; modules[++known] = name[j] }
    }
}

FNR == 1 && NR > 1 { judge() }
FNR == 1 { file = FILENAME; text = "" }
{ text = text $0 "\n" }

END {
    if (file != "") judge()
    if (bad || !files) exit 1
    for (i = 1; i <= known; i++) {
        out = ""
        for (j = 1; j <= known; j++) if ((modules[i], modules[j]) in used) out = out " " modules[j]
        if (out != "") print ".ci: " modules[i] " uses" out
    }
    print ".ci: " files " files, no arrow the wrong way"
}

function wrong(what) { print file ": " what; bad = 1 }

# lib.rs: where the names come from that it brings to the root of the crate.
function exports(    i, from) {
    tokenize()
    for (i = 1; i <= count; i++) {
        if (token[i] != "use") continue
        if (token[++i] ~ /^(crate|self)$/) i += 2
        from = token[i]
        while (i <= count && token[i] != ";") if (token[++i] ~ /^[A-Za-z_]/) home[token[i]] = from
    }
}

# Any other file: walks its tokens, keeping the depth of the module they are in. src/a/b.rs starts at depth 2,
# src/a/mod.rs and src/a.rs at depth 1.
function judge(    path_of_file, part, depth, open, inner, inner_at, i, t) {
    if (file == src "/lib.rs") { exports(); return }
    path_of_file = substr(file, length(src) + 2)
    sub(/\.rs$/, "", path_of_file)
    sub(/\/mod$/, "", path_of_file)
    depth = split(path_of_file, part, "/")
    room = part[1]
    files++
    if (!(room in level)) { wrong("`" room "` has no level in the table of .ci/arrows"); return }
    tokenize()
    open = inner = 0
    for (i = 1; i <= count; ) {
        t = token[i]
        if (t == "mod" && token[i + 2] == "{" && is_test(i)) { i = after_braces(i + 2); continue }
        if (t == "mod" && token[i + 2] == "{") { inner_at[++inner] = ++open; depth++; i += 3; continue }
        if (t == "{") open++
        if (t == "}" && inner && inner_at[inner] == open) { inner--; depth-- }
        if (t == "}") open--
        if (t == "crate" && token[i + 1] == "as") wrong("another name for the root of the crate")
        if (t ~ /^(crate|super|self)$/ && token[i + 1] == "::") i = path(i, depth)
        else i++
    }
}

# The path at token i, in the module at this depth (0: the root of the crate). Returns the number of a token after it.
function path(i, depth,    t) {
    for (; ; i += 2) {
        t = token[i]
        if (t == "{") return group(i, depth)
        if (t == "*") {
            if (depth == 0) wrong("a glob over the root of the crate")
            return i + 1
        }
        if (t == "crate") depth = 0
        else if (t == "super") depth -= depth > 0
        else if (t != "self") {
            if (depth == 0) arrow(t)
            return after(i)
        }
        if (token[i + 1] != "::") {
            if (depth == 0 && token[i + 1] == "as") wrong("another name for the root of the crate")
            return i + 1
        }
    }
}

# The paths of a `use` in braces, which open at token i.
function group(i, depth) {
    i++
    while (i <= count && token[i] != "}") {
        i = path(i, depth)
        while (i <= count && token[i] != "," && token[i] != "}") i++
        if (token[i] == ",") i++
    }
    return i + 1
}

# Past the rest of a path whose module is known.
function after(i) {
    while (token[i + 1] == "::" && token[i + 2] != "<" && token[i + 2] != "{") i += 2
    return token[i + 1] == "::" && token[i + 2] == "{" ? after_braces(i + 2) : i + 1
}

# Past the braces that open at token i.
function after_braces(i,    open) {
    for (; i <= count; i++) {
        if (token[i] == "{") open++
        if (token[i] == "}" && --open == 0) return i + 1
    }
    return i
}

# Does #[cfg(test)] stand before token i?
function is_test(i) {
    return i > 7 && token[i - 7] token[i - 6] token[i - 5] token[i - 4] token[i - 3] token[i - 2] token[i - 1] == "#[cfg(test)]"
}

function arrow(to) {
    if (!(to in level) && (to in home)) to = home[to]
    if (to == room) return
    if (!(to in level)) wrong("`" to "` at the root of the crate is nothing that lib.rs takes from a module of the table")
    else if (level[to] >= level[room]) wrong(room " may not use " to)
    else used[room, to] = 1
}

# Fills token[1..count] from text: names, "::", and single characters. No blanks, comments, literals or lifetimes.
function tokenize(    n, i, j, c, two) {
    count = 0
    n = length(text)
    for (i = 1; i <= n; ) {
        c = substr(text, i, 1)
        two = substr(text, i, 2)
        if (c ~ /[ \t\r\n]/) i++
        else if (two == "//") { while (i <= n && substr(text, i, 1) != "\n") i++ }
        else if (two == "/*") i = past_comment(i, n)
        else if (two == "::") { token[++count] = two; i += 2 }
        else if (c == "\"") i = past_string(i, n)
        else if (c == quote) i = past_character(i, n)
        else if (c ~ /[A-Za-z0-9_]/) {
            for (j = i; substr(text, j, 1) ~ /[A-Za-z0-9_]/; j++);
            c = substr(text, i, j - i)
            i = j
            if (c ~ /^[bc]?r$/ && substr(text, i) ~ /^#*"/) i = past_raw_string(i)
            else token[++count] = c
        }
        else { token[++count] = c; i++ }
    }
    token[count + 1] = token[count + 2] = ""
}

function past_comment(i, n,    open) {
    do {
        if (substr(text, i, 2) == "/*") { open++; i += 2 }
        else if (substr(text, i, 2) == "*/") { open--; i += 2 }
        else i++
    } while (open && i <= n)
    return i
}

function past_string(i, n,    c) {
    for (i++; i <= n && (c = substr(text, i, 1)) != "\""; i++) if (c == "\\") i++
    return i + 1
}

function past_raw_string(i,    end) {
    for (end = "\""; substr(text, i, 1) == "#"; i++) end = end "#"
    return i + 1 + index(substr(text, i + 1), end) + length(end) - 1
}

# A character literal, or else a lifetime.
function past_character(i, n,    c) {
    c = substr(text, i + 1, 1)
    if (c == "\\") { for (i += 3; i <= n && substr(text, i, 1) != quote; i++); return i + 1 }
    if (substr(text, i + 2, 1) == quote) return i + 3
    if (c !~ /[ -~]/) { for (i += 2; i <= n && substr(text, i, 1) != quote; i++); return i + 1 }
    for (i++; substr(text, i, 1) ~ /[A-Za-z0-9_]/; i++);
    return i
}
