# Completion of coffer(1) for bash.                                                          -*- shell-script -*-
#
# The program itself says what may stand at the cursor (coffer __complete).  What it says is read as lines and quoted;
# nothing of it, and nothing of what is typed, is ever evaluated.

# Sets REPLY to the text without its quotes, and quote_open to the quote that is still open at its end.
_coffer_unquote()
{
	local text=$1 char
	REPLY='' quote_open=''
	while [ -n "$text" ]; do
		char=${text:0:1} text=${text:1}
		if [[ $char == \\ && $quote_open != \' ]]; then
			[[ $quote_open == '"' && $text != [\$\`\"\\]* ]] && REPLY+=\\
			REPLY+=${text:0:1} text=${text:1}
		elif [[ $char == [\'\"] && ( -z $quote_open || $quote_open == "$char" ) ]]; then
			[ -z "$quote_open" ] && quote_open=$char || quote_open=''
		else
			REPLY+=$char
		fi
	done
}

# COMP_WORDS is cut at "=", ":" and others, too: puts the words together as they are typed, up to the cursor, into
# typed, the index of the first piece of each into first, and the piece that readline will replace into piece.
_coffer_words()
{
	local line=${COMP_LINE:0:COMP_POINT} i
	line=${line#*"${COMP_WORDS[0]}"}
	typed=("${COMP_WORDS[0]}") first=(0)
	for ((i = 1; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]}
		if [[ $line == [[:blank:]]* || -z $line ]]; then
			line=${line#"${line%%[![:blank:]]*}"}
			typed+=("") first+=("$i")
		fi
		[[ $line == "$piece"* ]] || piece=$line
		typed[-1]+=$piece line=${line#"$piece"}
	done
	# Behind a lone "=" readline replaces nothing.
	[[ $COMP_WORDBREAKS == *"$piece"* ]] && piece=''
}

# A candidate as it must stand behind what readline keeps, or nothing where the open quote cannot hold it.
_coffer_add()
{
	local rest=${1:kept}
	case $quote_open in
		\') [[ $rest == *\'* ]] && return ;;
		'"') [[ $rest == *[\"\$\`\\!]* ]] && return ;;
		*)
			printf -v rest %q "$rest"
			rest=${rest//\\,/,}
			;;
	esac
	COMPREPLY+=("$rest")
}

_coffer_files()
{
	local name action=$1 skipped=$2 value=$3
	compopt -o filenames 2>/dev/null
	while IFS= read -r name; do
		COMPREPLY+=("${name:kept - skipped}")
	done < <(compgen -A "$action" -- "${value:skipped}")
}

# The command line behind "--" is another program's.
_coffer_program()
{
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "$1"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif ((COMP_CWORD == $1)); then
		mapfile -t COMPREPLY < <(compgen -c -- "$2")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
	fi
}

_coffer()
{
	local REPLY quote_open='' piece='' kept line kind number
	local -a typed=() first=() plain=() answer=()

	COMPREPLY=()
	_coffer_words
	for line in "${typed[@]:1}"; do
		_coffer_unquote "$line"
		plain+=("$REPLY")
	done
	[[ -z $quote_open || $piece == [\'\"]* ]] || return
	# Its end as readline sees it, and what stands before that.
	_coffer_unquote "${typed[-1]%"$piece"}"
	kept=${#REPLY}
	_coffer_unquote "${typed[-1]}"
	mapfile -t answer < <(command coffer __complete "${plain[@]}" 2>/dev/null </dev/null)
	read -r kind number <<<"${answer[0]-}"
	case $kind in
		words)
			for line in "${answer[@]:1}"; do
				_coffer_add "${line%%$'\t'*}"
			done
			[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
			;;
		files) _coffer_files file "$number" "$REPLY" ;;
		directories) _coffer_files directory "$number" "$REPLY" ;;
		program) _coffer_program "${first[number + 1]}" "$REPLY" ;;
	esac
}

complete -F _coffer coffer
