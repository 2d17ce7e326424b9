# Completion of coffer(1) for fish.
#
# The program itself says what may stand at the cursor (coffer __complete).  What it says is read as lines and quoted by
# the shell; nothing of it, and nothing of what is typed, is ever evaluated.

function __coffer_complete
    set -l words (commandline -opc)
    set -l raw (commandline -ct)
    # A quote that is still open cannot be taken off.
    set -l typed (string unescape -- $raw; or string replace -r '^[\'"]' '' -- $raw)
    while set -q words[1]; and not string match -qr '(^|/)coffer$' -- $words[1]
        set -e words[1]
    end
    set -l answer (command coffer __complete $words[2..] "$typed" 2>/dev/null </dev/null)
    set -l kind (string split ' ' -- $answer[1])
    switch "$kind[1]"
        case words
            test (count $answer) -gt 1; and printf '%s\n' $answer[2..]
        case files directories
            set -l before (string sub -l $kind[2] -- "$typed")
            set -l begun (string sub -s (math $kind[2] + 1) -- "$typed")
            if test $kind[1] = files
                __fish_complete_path "$begun" | string replace -r '^' -- $before
            else
                __fish_complete_directories "$begun" '' | string replace -r '^' -- $before
            end
        case program
            complete -C (string join ' ' -- (string escape -- $words[(math $kind[2] + 2)..]) $raw)
    end
end

complete -c coffer -f -a '(__coffer_complete)'
