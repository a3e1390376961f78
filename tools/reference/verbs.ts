import type { Command } from '../../packages/cli/src/command/command.ts'
import { optionsOf } from '../../packages/cli/src/command/common-options.ts'
import { usageOf } from '../../packages/cli/src/command/help.ts'
import type { Option } from '../../packages/cli/src/command/option.ts'
import { commands } from '../../packages/cli/src/commands.ts'
import { wrapProse } from '../wrap-prose.ts'
import { code, head, table } from './table.ts'

/** Every verb of the command line with its options. */
export function renderVerbs(): string {
  return `${[
    head(
      'Verbs of the command line',
      wrapProse(
        'What `oncekey <verb> --help` prints. [The command line](../cli.md) says how to connect, what ' +
          'the exit codes are and what an act leaves behind.',
      ),
    ),
    '## Common options',
    wrapProse('Every verb takes those of the servers that it asks, and those of its output.'),
    table(['option', ''], [...common].map(row)),
    ...commands.flatMap(section),
  ].join('\n\n')}\n`
}

/** Options that a verb has because of the servers that it asks; the page lists them once. */
const common = new Map(
  commands.flatMap(({ act, ...command }) =>
    Object.entries(optionsOf(command)).filter(([name]) => !(name in (command.options ?? {}))),
  ),
)

const SERVERS: Readonly<Record<Command['server'], string>> = {
  postgres: 'It asks PostgreSQL',
  'postgres-or-redis': 'It asks PostgreSQL or Redis',
  none: 'It asks no server',
}

function section(command: Command): string[] {
  const own = Object.entries(optionsOf(command)).filter(
    ([name]) => !common.has(name) || name in (command.options ?? {}),
  )
  const servers = `${SERVERS[command.server]}${command.viaDashboard ? ', or a dashboard' : ''}.`
  return [
    `## ${command.path}`,
    wrapProse(
      `${command.summary}. ${(command.details ?? '').replace(/\s+/g, ' ')} ${servers}`.replace(
        / {2,}/g,
        ' ',
      ),
    ),
    [
      '```sh',
      `# ${usageOf(command)}`,
      ...command.examples.map((one) => `oncekey ${one}`),
      '```',
    ].join('\n'),
    ...(own.length === 0 ? [] : [table(['option', ''], own.map(row))]),
  ]
}

function row([name, { value, short, help, choices }]: [string, Option]): string[] {
  const dashes = short === undefined ? `--${name}` : `-${short}, --${name}`
  const of = choices === undefined ? '' : ` One of ${choices.map(code).join(', ')}.`
  return [code(value === undefined ? dashes : `${dashes} <${value}>`), `${escaped(help)}${of}`]
}

/** Angle brackets of a help text must not become HTML. */
const escaped = (text: string): string => text.replaceAll('<', '&lt;')
