namespace Patroni.Raft.Cli.Completion;

/// <summary>
/// Scripts for shells. They hold no verbs themselves: every time they ask the program, which starts in some tens of milliseconds, so that
/// they are never out of date.
/// </summary>
internal static class CompletionScripts
{
    public const string Bash = """
        # bash completion for patroni-raft: source <(patroni-raft completion bash), or put this into /etc/bash_completion.d/patroni-raft
        _patroni_raft() {
          local line=${COMP_LINE:0:COMP_POINT} current candidates
          current=${line##*[[:space:]]}
          candidates=$("${COMP_WORDS[0]}" completion query "$line" 2>/dev/null | cut -f1)
          local IFS=$'\n'
          COMPREPLY=($(compgen -W "$candidates" -- "$current"))
          # bash breaks words at colons: what stands before the last one is there already.
          if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
            local before=${current%"${current##*:}"} i
            for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$before"}; done
          fi
        }
        complete -o default -F _patroni_raft patroni-raft patronictl

        """;

    public const string Zsh = """
        #compdef patroni-raft patronictl
        # zsh completion for patroni-raft: source <(patroni-raft completion zsh) after compinit, or put this into a directory of $fpath as _patroni-raft
        _patroni_raft() {
          local -a candidates
          local name description
          while IFS=$'\t' read -r name description; do
            candidates+=("${name//:/\\:}:$description")
          done < <("${words[1]}" completion query "${(j: :)words[1,CURRENT]}" 2>/dev/null)
          if (( $#candidates )); then _describe patroni-raft candidates; else _files; fi
        }
        if [ "$funcstack[1]" = "_patroni_raft" ]; then _patroni_raft "$@"; else compdef _patroni_raft patroni-raft patronictl; fi

        """;

    public const string Fish = """
        # fish completion for patroni-raft: patroni-raft completion fish | source, or put this into ~/.config/fish/completions/patroni-raft.fish
        function __patroni_raft_complete
            set -l words (commandline -po)
            set -l found (command $words[1] completion query (commandline -cp | string collect) 2>/dev/null)
            if test (count $found) -gt 0
                printf '%s\n' $found
            else
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c patroni-raft -f -a '(__patroni_raft_complete)'
        complete -c patronictl -f -a '(__patroni_raft_complete)'

        """;
}
