# Blanks the comments, strings and character constants of C, so that checks see code only.
# Lines keep their numbers and code its columns up to the first thing blanked.
{
    line = $0
    code = ""
    while (line != "") {
        if (in_comment) {
            end = index(line, "*/")
            if (end == 0) break
            line = substr(line, end + 2)
            in_comment = 0
            code = code " "
            continue
        }
        if (!match(line, /\/\*|\/\/|"|'/)) {
            code = code line
            break
        }
        code = code substr(line, 1, RSTART - 1)
        mark = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (mark == "//") break
        if (mark == "/*") {
            in_comment = 1
            continue
        }
        # A literal: up to the same quote, stepping over what a backslash escapes.
        while (line != "" && substr(line, 1, 1) != mark)
            line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
        line = substr(line, 2)
        code = code mark mark
    }
    print code
}
