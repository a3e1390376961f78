import { parseArgs } from 'node:util'
import { usageError } from './cli-error.ts'
import type { Command } from './command.ts'
import { optionsOf } from './common-options.ts'
import { type Given, given, type Values } from './given.ts'

/** Finds the verb with which the arguments begin; `undefined` if they begin with none. */
export function findCommand(
  commands: readonly Command[],
  args: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  const found = commands
    .map((command) => ({ command, words: command.path.split(' ') }))
    .filter(({ words }) => words.every((word, index) => args[index] === word))
    .sort((one, other) => other.words.length - one.words.length)[0]
  return found && { command: found.command, rest: args.slice(found.words.length) }
}

/** Reads the arguments behind the verb. Throws a usage error if they are wrong. */
export function parse(command: Command, args: readonly string[]): Given {
  const options = optionsOf(command)
  const { values, positionals } = parsed(command, args)
  for (const [name, { choices }] of Object.entries(options)) {
    for (const value of [values[name] ?? []].flat()) {
      if (choices === undefined || choices.includes(String(value))) continue
      throw usageError(`--${name} must be one of ${choices.join(', ')}, not "${String(value)}".`)
    }
  }
  return given(options, values, values.help === true ? new Map() : operandsOf(command, positionals))
}

function parsed(command: Command, args: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(optionsOf(command)).map(([name, { value, short, many }]) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        ...(short !== undefined && { short }),
        ...(many && { multiple: true as const }),
      },
    ]),
  )
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    return { values: values as Values, positionals }
  } catch (error) {
    // Node's message continues with advice about `--` and positionals, which does not apply here.
    const [sentence = ''] = (error as Error).message.split(/\. |\n/)
    const hint = /^Unknown option '-[^-]/.test(sentence)
      ? ', and write -- before what begins with a dash'
      : ''
    throw usageError(`${sentence.replace(/\.$/, '')}: see oncekey ${command.path} --help${hint}.`)
  }
}

function operandsOf(command: Command, positionals: readonly string[]) {
  const operands = new Map<string, readonly string[]>()
  let left = [...positionals]
  for (const { name, optional, many } of command.operands ?? []) {
    const taken = many ? left : left.slice(0, 1)
    if (taken.length === 0 && !optional) {
      throw usageError(`<${name}> is missing. See oncekey ${command.path} --help.`)
    }
    if (taken.includes('')) throw usageError(`<${name}> is empty.`)
    operands.set(name, taken)
    left = left.slice(taken.length)
  }
  if (left.length > 0) {
    throw usageError(
      `"${left[0]}" is one argument too many. See oncekey ${command.path} --help; quote what has spaces.`,
    )
  }
  return operands
}
