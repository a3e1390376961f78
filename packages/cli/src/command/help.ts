import type { Command } from './command.ts'
import { optionsOf } from './common-options.ts'
import type { Option } from './option.ts'

/** `--help` of one verb. */
export function helpOf(command: Command): string {
  const options = optionsOf(command)
  const own = Object.entries(options).filter(([name]) => name in (command.options ?? {}))
  const others = Object.entries(options).filter(([name]) => !(name in (command.options ?? {})))
  return [
    `${command.summary}.`,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'Usage',
    `  ${usageOf(command)}`,
    ...section('Options', own),
    ...section(own.length === 0 ? 'Options' : 'Other options', others),
    '',
    command.examples.length === 1 ? 'Example' : 'Examples',
    ...command.examples.map((example) => `  oncekey ${example}`),
    '',
  ].join('\n')
}

/** The help text that lists all verbs, or those of one group. */
export function overview(commands: readonly Command[], group?: string): string {
  const shown = commands.filter(({ path }) => group === undefined || path.startsWith(`${group} `))
  const width = Math.max(...shown.map((command) => nameOf(command).length))
  return [
    group === undefined
      ? 'oncekey: look at what Oncekey keeps, and put it right.'
      : `oncekey ${group}`,
    '',
    ...shown.map((command) => `  ${nameOf(command).padEnd(width)}  ${command.summary}`),
    '',
    'Connect with --database <url> or DATABASE_URL, --redis <url> or REDIS_URL.',
    'oncekey <verb> --help shows a verb with an example. --json is there for every verb.',
    'Exit codes: 0 done, 1 found something or refused, 2 wrong usage, 3 cannot reach a server.',
    '',
  ].join('\n')
}

function nameOf({ path, operands = [] }: Command): string {
  return [path, ...operands.map(shownOperand)].join(' ')
}

export function usageOf(command: Command): string {
  return `oncekey ${nameOf(command)} [options]`
}

function shownOperand(operand: NonNullable<Command['operands']>[number]): string {
  const name = `<${operand.name}>${operand.many ? '...' : ''}`
  return operand.optional ? `[${name}]` : name
}

function section(title: string, options: readonly (readonly [string, Option])[]): string[] {
  const width = Math.max(...options.map((option) => shownOption(option).length))
  const lines = options.map((option) => {
    const [, { help, choices }] = option
    const of = choices === undefined ? '' : ` One of: ${choices.join(', ')}.`
    return `  ${shownOption(option).padEnd(width)}  ${help}${of}`
  })
  return lines.length === 0 ? [] : ['', title, ...lines]
}

function shownOption([name, { value, short }]: readonly [string, Option]): string {
  const dashes = short === undefined ? `--${name}` : `-${short}, --${name}`
  return value === undefined ? dashes : `${dashes} <${value}>`
}
