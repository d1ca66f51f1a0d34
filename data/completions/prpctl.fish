# SPDX-License-Identifier: MIT
#
# Completes prpctl in fish. What can stand where the cursor is, prpctl itself says: a line a word, a tab, what it is.

function __prpctl_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] _complete -- $words[2..-1] 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :programs
                __fish_complete_command
            case '*'
                echo $line
        end
    end
end

complete --command prpctl --no-files --arguments '(__prpctl_complete)'
