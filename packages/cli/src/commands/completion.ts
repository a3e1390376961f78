import { usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { optionsOf } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'

const shells = ['bash', 'zsh', 'fish'] as const

/** Takes the list of verbs through a function, because the list itself contains this verb. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    path: 'completion',
    summary: 'Print a script that completes verbs and options in your shell',
    server: 'none',
    operands: [{ name: 'shell' }],
    examples: ['completion bash > ~/.local/share/bash-completion/completions/oncekey'],
    async run({ given, out }: Call) {
      const shell = given.operand('shell')
      if (!(shells as readonly string[]).includes(shell)) {
        throw usageError(`<shell> must be one of ${shells.join(', ')}, not "${shell}".`)
      }
      await out.raw(shell === 'fish' ? fish(commands()) : bash(commands(), shell === 'zsh'))
      return ExitCode.done
    },
  }
}

/**
 * A script that completes the words that may follow those already typed. zsh uses the same
 * function.
 */
function bash(commands: readonly Command[], isZsh: boolean): string {
  const groups = new Map<string, string[]>()
  for (const { path } of commands) {
    const [first = '', second] = path.split(' ')
    groups.set(first, [...(groups.get(first) ?? []), ...(second === undefined ? [] : [second])])
  }
  const verbs = [...groups].filter(([, seconds]) => seconds.length > 0)
  const choices = new Map(
    commands.flatMap((command) =>
      Object.entries(optionsOf(command)).flatMap(([name, { choices: values }]) =>
        values === undefined ? [] : [[`${command.path} --${name}`, values] as const],
      ),
    ),
  )
  return `${isZsh ? '#compdef oncekey\nautoload -U +X bashcompinit && bashcompinit\n' : ''}_oncekey() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local first="\${COMP_WORDS[1]}" second="\${COMP_WORDS[2]}" verb words=
  case "$first" in
${verbs.map(([first]) => `    ${first}) verb="$first $second" ;;\n`).join('')}    *) verb="$first" ;;
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then words="${[...groups.keys()].join(' ')}"
  elif [[ $COMP_CWORD -eq 2 && "$verb" == *' '* ]]; then
    case "$first" in
${verbs.map(([first, seconds]) => `      ${first}) words="${seconds.join(' ')}" ;;\n`).join('')}    esac
  else
    case "$verb $before" in
${[...choices].map(([after, values]) => `      '${after}') words="${values.join(' ')}" ;;\n`).join('')}      *) case "$verb" in
${commands.map((command) => `        '${command.path}') words="${dashed(command).join(' ')}" ;;\n`).join('')}      esac ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _oncekey oncekey
`
}

function fish(commands: readonly Command[]): string {
  const lines = commands.flatMap((command) => {
    const [first = '', second] = command.path.split(' ')
    const after =
      second === undefined
        ? `__fish_seen_subcommand_from ${first}`
        : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`
    const word = second ?? first
    const isNext =
      second === undefined
        ? '__fish_use_subcommand'
        : `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${seconds(commands, first).join(' ')}`
    return [
      `complete -c oncekey -f -n '${isNext}' -a ${word} -d ${quoted(command.summary)}`,
      ...Object.entries(optionsOf(command)).map(
        ([name, { help, value, choices }]) =>
          `complete -c oncekey -f -n '${after}' -l ${name} -d ${quoted(help)}${value === undefined ? '' : ' -r'}${choices === undefined ? '' : ` -a '${choices.join(' ')}'`}`,
      ),
    ]
  })
  const groups = [
    ...new Set(
      commands
        .map(({ path }) => path.split(' '))
        .filter((words) => words.length > 1)
        .map(([first]) => first),
    ),
  ]
  const firsts = groups.map(
    (first) => `complete -c oncekey -f -n __fish_use_subcommand -a ${first}`,
  )
  return `${[...firsts, ...lines].join('\n')}\n`
}

function seconds(commands: readonly Command[], group: string): string[] {
  return commands
    .filter(({ path }) => path.startsWith(`${group} `))
    .map(({ path }) => path.slice(group.length + 1))
}

const dashed = (command: Command): string[] =>
  Object.keys(optionsOf(command)).map((name) => `--${name}`)

const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`
