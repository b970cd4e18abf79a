# What a run of the fault suite does: it writes down what it began and ended in a book of its own, and looks whether
# it is alone, as the limits and the attempts of a run promise.
book="$BOOKS/$REEVE_FLOW_RUN_ID"

# A process that exists with that run's id in its environment. Not a zombie: those have no environment.
alive() {
    [ -e "/proc/$1" ] && grep -qzx "REEVE_FLOW_RUN_ID=$2" "/proc/$1/environ" 2>/dev/null
}

note() {
    echo "$*" >>"$book"
}

# At most $2 processes hold a slot of $1.
slot() {
    echo "$$ $REEVE_FLOW_RUN_ID" >>"$BOOKS/slots-$1"
    holders=0
    while read -r pid run; do
        alive "$pid" "$run" && holders=$((holders + 1))
    done <"$BOOKS/slots-$1"
    [ "$holders" -le "$2" ] || note "crowd $1: $holders"
}

finish() {
    note "end $1"
    echo "ended $$"
    exit "$1"
}

note "begin $$"
echo "begun $$"
while read -r word pid; do
    if [ "$word" = begin ] && [ "$pid" != $$ ] && alive "$pid" "$REEVE_FLOW_RUN_ID"; then
        note "double $pid"
    fi
done <"$book"

case $1 in
short) finish 0 ;;
ticks | minutes) note "at $(date +%s%N)"; finish 0 ;;
steady) sleep 0.4; finish 0 ;;
single) slot single 1; sleep 0.2; finish 0 ;;
pooled) slot narrow 2; sleep 0.3; finish 0 ;;
long) slot narrow 2; while :; do sleep 300; done ;;
fails) finish 3 ;;
crashes) kill -9 $$ ;;
slow) while :; do sleep 300; done ;;
stubborn)
    trap '' TERM
    setsid sh -c 'trap "" TERM; while :; do sleep 300; done' &
    while :; do sleep 300; done
    ;;
forker)
    # Twice forked, in sessions of their own, deaf to SIGTERM, and holding the output open.
    (setsid sh -c 'trap "" TERM; (sleep 300 &); while :; do sleep 300; done' &)
    sleep 0.1
    finish 0
    ;;
flood) yes 'much to say, and little in it' | head -n 60000; finish 0 ;;
esac
